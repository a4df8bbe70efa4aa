// Floor of the pipe stream: head -c N /dev/zero read from a pipe with a blocking loop. Usage: pipe_read BYTES
#include "floor.h"
#include <sys/wait.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int ends[2];
  if (pipe(ends) < 0) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execlp("head", "head", "-c", argv[1], "/dev/zero", (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  read_and_report(ends[0], strtoull(argv[1], NULL, 10));
  waitpid(child, NULL, 0);
  return 0;
}
