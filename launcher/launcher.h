/* What the parts of the launcher share. The launcher is the only program of the runtime folder that the kernel starts without a loader. */
#ifndef EXECWIRE_LAUNCHER_H
#define EXECWIRE_LAUNCHER_H

/* Ends with 125: the launcher itself failed, as with `execwire exec`. */
enum { EXIT_LAUNCHER = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* Says "execwire: WHAT: WHY" on standard error and ends the program. WHY is the text of the number, and is left out for 0. */
_Noreturn void fail(int code, const char *what, int number);

/* Starts Node with the program. Does not return. */
_Noreturn void launch(int argc, char **argv);

/* Becomes another user and starts a program. Arguments: UID GID GROUPS DIRECTORY [NAME=VALUE…] -- PROGRAM [ARGUMENT…]. Does not return. */
_Noreturn void run_as(int argc, char **argv);

/* Reads of commands on standard input, and kills what is left of them at its end. FOLDER holds their control groups, or is NULL. Returns the exit code. */
int guard(const char *marker, const char *folder);

#endif
