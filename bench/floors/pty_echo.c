// Floor of the keystroke echo: one byte to cat on a raw PTY and back. Usage: pty_echo COUNT
#include "floor.h"
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int count = atoi(argv[1]), master;
  double *samples = malloc(sizeof(double) * (size_t)count);
  pid_t child = forkpty(&master, NULL, NULL, NULL);
  if (child < 0) fail("forkpty");
  if (child == 0) {
    struct termios raw;
    tcgetattr(0, &raw);
    cfmakeraw(&raw);
    tcsetattr(0, TCSANOW, &raw);
    if (write(1, "R", 1) != 1) _exit(1);
    execlp("cat", "cat", (char *)NULL);
    _exit(127);
  }
  char byte;
  if (read(master, &byte, 1) != 1) fail("read ready mark");
  for (int n = 0; n < count; n++) {
    double start = now_seconds();
    if (write(master, "x", 1) != 1) fail("write");
    if (read(master, &byte, 1) != 1) fail("read");
    samples[n] = (now_seconds() - start) * 1e3;
  }
  close(master);
  waitpid(child, NULL, 0);
  qsort(samples, (size_t)count, sizeof(double), by_size);
  printf("{\"p50\":%.6f,\"p99\":%.6f}\n", percentile(samples, count, 50), percentile(samples, count, 99));
  return 0;
}
