// What the floors share: a clock, a percentile, a read loop, and failing loudly.
#ifndef FLOOR_H
#define FLOOR_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static inline double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static inline double own_cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static inline int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline double percentile(double *sorted, int count, double percent) {
  int rank = (int)(percent / 100 * count + 0.999999) - 1;
  return sorted[rank < 0 ? 0 : rank];
}

// Reads until `expected` bytes or end of file, with blocking reads, and prints bytes, seconds and CPU seconds as JSON.
static inline void read_and_report(int fd, uint64_t expected) {
  static char buffer[64 * 1024];
  double start = now_seconds(), cpu = own_cpu_seconds();
  uint64_t total = 0;
  while (total < expected) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    total += (uint64_t)n;
  }
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n", (unsigned long long)total, now_seconds() - start,
         own_cpu_seconds() - cpu);
}
#endif
