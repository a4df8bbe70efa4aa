/*
 * `execwire` of the runtime folder: starts Node with the program. The server calls it in two more ways where the image may have no shell and no
 * tools: `execwire @guardian MARKER [FOLDER]` and `execwire @as …`. No name of a command begins with an @. Knows nothing of what Node then does.
 */
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fail(int code, const char *what, int number) {
  if (number == 0)
    fprintf(stderr, "execwire: %s\n", what);
  else
    fprintf(stderr, "execwire: %s: %s\n", what, strerror(number));
  exit(code);
}

int main(int argc, char **argv) {
  /* argv[argc] is NULL. */
  if ((argc == 3 || argc == 4) && strcmp(argv[1], "@guardian") == 0) return guard(argv[2], argv[3]);
  if (argc > 1 && strcmp(argv[1], "@as") == 0) run_as(argc - 2, argv + 2);
  launch(argc, argv);
}
