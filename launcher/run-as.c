/*
 * `execwire @as UID GID GROUPS DIRECTORY [NAME=VALUE…] -- PROGRAM [ARGUMENT…]`: becomes a user for good and starts the program in its place. Stands in for setpriv,
 * env and a shell. An empty DIRECTORY stays where it is. Knows no names of users; `src/process/user-account.ts` looks them up.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Linux allows so many groups (linux/limits.h). */
enum { MAX_GROUPS = 65536 };

/* A number and nothing behind it but `end`. */
static unsigned number_of(const char *text, char **end) {
  errno = 0;
  unsigned long number = strtoul(text, end, 10);
  /* The largest number means "leave it" to the kernel. */
  if (errno != 0 || *end == text || *text == '-' || number >= UINT_MAX) fail(EXIT_LAUNCHER, "@as: that is no number of a user or group", EINVAL);
  return (unsigned)number;
}

static unsigned only_number(const char *text) {
  char *end;
  unsigned number = number_of(text, &end);
  if (*end != '\0') fail(EXIT_LAUNCHER, "@as: that is no number of a user or group", EINVAL);
  return number;
}

static size_t groups_of(const char *text, gid_t *groups) {
  size_t count = 0;
  char *end = (char *)text;
  while (*text != '\0') {
    if (count == MAX_GROUPS) fail(EXIT_LAUNCHER, "@as: too many groups", EINVAL);
    groups[count++] = number_of(text, &end);
    if (*end != ',' && *end != '\0') fail(EXIT_LAUNCHER, "@as: that is no list of groups", EINVAL);
    text = *end == ',' ? end + 1 : end;
  }
  return count;
}

/* As execvp(3) of glibc: a file that is executable and no program is a script of the shell. */
static void start(char **argv, int argc) {
  execvp(argv[0], argv);
  if (errno != ENOEXEC || strchr(argv[0], '/') == NULL) return;
  char **script = calloc((size_t)argc + 2, sizeof *script);
  if (script == NULL) return;
  script[0] = "/bin/sh";
  for (int i = 0; i < argc; i++) script[i + 1] = argv[i];
  execv(script[0], script);
}

void run_as(int argc, char **argv) {
  static gid_t groups[MAX_GROUPS];
  int at = 4;
  while (at < argc && strcmp(argv[at], "--") != 0) at++;
  if (argc < 4 || at + 1 >= argc) fail(EXIT_LAUNCHER, "@as UID GID GROUPS DIRECTORY [NAME=VALUE…] -- PROGRAM [ARGUMENT…]", 0);
  unsigned uid = only_number(argv[0]);
  unsigned gid = only_number(argv[1]);
  size_t count = groups_of(argv[2], groups);
  if (setgroups(count, groups) != 0) fail(EXIT_LAUNCHER, "setgroups", errno);
  if (setresgid(gid, gid, gid) != 0) fail(EXIT_LAUNCHER, "setresgid", errno);
  if (setresuid(uid, uid, uid) != 0) fail(EXIT_LAUNCHER, "setresuid", errno);
  /* As the user, so that the user's rights decide. */
  if (argv[3][0] != '\0' && chdir(argv[3]) != 0) fail(EXIT_NOT_EXECUTABLE, argv[3], errno);
  for (int i = 4; i < at; i++) {
    if (putenv(argv[i]) != 0) fail(EXIT_LAUNCHER, "the environment cannot be set", errno);
  }
  start(argv + at + 1, argc - at - 1);
  fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, argv[at + 1], errno);
}
