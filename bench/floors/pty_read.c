// Floor of the PTY stream: head -c N /dev/zero on a raw PTY, read with a blocking loop. Usage: pty_read BYTES
#include "floor.h"
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int master;
  pid_t child = forkpty(&master, NULL, NULL, NULL);
  if (child < 0) fail("forkpty");
  if (child == 0) {
    struct termios raw;
    tcgetattr(0, &raw);
    cfmakeraw(&raw);
    tcsetattr(0, TCSANOW, &raw);
    execlp("head", "head", "-c", argv[1], "/dev/zero", (char *)NULL);
    _exit(127);
  }
  read_and_report(master, strtoull(argv[1], NULL, 10));
  close(master);
  waitpid(child, NULL, 0);
  return 0;
}
