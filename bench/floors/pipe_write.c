// Floor of stdin: blocking writes of 64 KiB into the pipe of wc -c. Usage: pipe_write BYTES
#include "floor.h"
#include <fcntl.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  static char buffer[64 * 1024];
  uint64_t left = strtoull(argv[1], NULL, 10), bytes = left;
  int ends[2];
  if (pipe(ends) < 0) fail("pipe");
  double start = now_seconds(), cpu = own_cpu_seconds();
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    int sink = open("/dev/null", O_WRONLY);
    dup2(ends[0], 0);
    dup2(sink, 1);
    close(ends[0]);
    close(ends[1]);
    execlp("wc", "wc", "-c", (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  while (left > 0) {
    ssize_t n = write(ends[1], buffer, left < sizeof buffer ? left : sizeof buffer);
    if (n <= 0) fail("write");
    left -= (uint64_t)n;
  }
  close(ends[1]);
  waitpid(child, NULL, 0);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n", (unsigned long long)bytes, now_seconds() - start,
         own_cpu_seconds() - cpu);
  return 0;
}
