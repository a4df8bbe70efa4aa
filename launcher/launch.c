/*
 * Starts the folder's own Node by the folder's own loader, so that nothing of the image is used. Owns which variables of the image Node must not see;
 * `src/process/environment.ts` gives them back to commands.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Set by the build: the name of the loader in lib/. */
#ifndef LOADER
#error "LOADER is the name of the loader, such as ld-linux-x86-64.so.2"
#endif

#define ASIDE "EXECWIRE_ASIDE_"

/*
 * Variables of the image that would end or change Node: libraries of another C library, modules that only the image has, files of another version.
 * LD_LIBRARY_PATH may stay, because the loader's own argument wins over it.
 */
static const char *const MOVED[] = {
    "LD_PRELOAD",    "LD_AUDIT",         "NODE_OPTIONS", "NODE_PATH",
    "NODE_ICU_DATA", "NODE_V8_COVERAGE", "OPENSSL_CONF",
};

enum { ROOM = PATH_MAX + 64, LOADER_ARGUMENTS = 9 };

static void set(const char *name, const char *value) {
  if (setenv(name, value, 1) != 0) fail(EXIT_LAUNCHER, "the environment cannot be set", errno);
}

/* Moves each such variable X to EXECWIRE_ASIDE_X. One that was moved before is forgotten, because it is of another start. */
static void move_aside(void) {
  for (size_t i = 0; i < sizeof MOVED / sizeof *MOVED; i++) {
    char aside[64];
    snprintf(aside, sizeof aside, ASIDE "%s", MOVED[i]);
    const char *value = getenv(MOVED[i]);
    if (value == NULL) {
      unsetenv(aside);
      continue;
    }
    set(aside, value);
    unsetenv(MOVED[i]);
  }
}

/* Node would open /dev/null in place of a closed stream, and writing there would be no error. Opened the wrong way round, both fail with EBADF. */
static void keep_closed_streams_closed(void) {
  for (int stream = 0; stream <= 2; stream++) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    /* The lowest free number, which is this one. */
    if (open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) == -1) return;
  }
}

/* Node raises its soft limit before any JavaScript runs, so the given one is passed on. */
static void pass_descriptor_limit_on(void) {
  struct rlimit limit;
  char text[32];
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  snprintf(text, sizeof text, "%llu", (unsigned long long)limit.rlim_cur);
  set("EXECWIRE_DESCRIPTOR_LIMIT", limit.rlim_cur == RLIM_INFINITY ? "unlimited" : text);
}

/* The folder above the one of this program, by whatever name it was started. */
static void find_root(char root[ROOM]) {
  ssize_t length = readlink("/proc/self/exe", root, PATH_MAX);
  if (length < 0) fail(EXIT_LAUNCHER, "/proc/self/exe cannot be read; mount /proc", errno);
  root[length] = '\0';
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(root, '/');
    if (slash == NULL) fail(EXIT_LAUNCHER, "the program is not in the folder bin of a runtime folder", 0);
    *slash = '\0';
  }
}

static char *below(const char *root, const char *name) {
  char *path;
  if (asprintf(&path, "%s/%s", root, name) < 0) fail(EXIT_LAUNCHER, "no memory", ENOMEM);
  return path;
}

void launch(int argc, char **argv) {
  char root[ROOM];
  find_root(root);
  keep_closed_streams_closed();
  pass_descriptor_limit_on();
  move_aside();
  set("EXECWIRE_RUNTIME", root);
  char *loader = below(root, "lib/" LOADER);
  char *start[LOADER_ARGUMENTS] = {
      loader, "--inhibit-cache", "--library-path", below(root, "lib"), "--argv0", "execwire", below(root, "bin/node"),
      /* Or Node would take flags such as --env-file for its own. */
      "--", below(root, "app/dist/execwire.cjs")};
  char **all = calloc((size_t)(LOADER_ARGUMENTS + argc), sizeof *all);
  if (all == NULL) fail(EXIT_LAUNCHER, "no memory", ENOMEM);
  memcpy(all, start, sizeof start);
  for (int i = 1; i < argc; i++) all[LOADER_ARGUMENTS + i - 1] = argv[i];
  execv(loader, all);
  /* A file system that is mounted noexec is the usual cause of EACCES. */
  fail(EXIT_LAUNCHER, errno == EACCES ? "the runtime folder cannot be executed; is its volume mounted noexec?" : loader, errno);
}
