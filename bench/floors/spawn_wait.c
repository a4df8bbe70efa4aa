// Floor of a short command: posix_spawn of /bin/true and waitpid, WIDTH at a time. Usage: spawn_wait COUNT WIDTH
#include "floor.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static pid_t start_true(void) {
  pid_t pid;
  char *argv[] = {"true", NULL};
  if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) != 0) fail("posix_spawn");
  return pid;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int count = atoi(argv[1]), width = atoi(argv[2]);
  double *samples = malloc(sizeof(double) * (size_t)count), begin = now_seconds();
  if (width == 1) {
    for (int n = 0; n < count; n++) {
      double start = now_seconds();
      waitpid(start_true(), NULL, 0);
      samples[n] = (now_seconds() - start) * 1e3;
    }
    qsort(samples, (size_t)count, sizeof(double), by_size);
    printf("{\"p50\":%.6f,\"p99\":%.6f}\n", percentile(samples, count, 50), percentile(samples, count, 99));
    return 0;
  }
  int started = 0, ended = 0;
  while (ended < count) {
    while (started < count && started - ended < width) {
      start_true();
      started++;
    }
    wait(NULL);
    ended++;
  }
  printf("{\"perSecond\":%.3f}\n", count / (now_seconds() - begin));
  return 0;
}
