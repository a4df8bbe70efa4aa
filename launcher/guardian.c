/*
 * `execwire @guardian MARKER [FOLDER]`: the same as the shell program in `src/process/guardian-script.ts`, for images without a shell. It outlives the server by a
 * moment: it learns of commands over standard input, and kills what is left of them when the server is gone.
 *
 * Input lines: `+PID START` is a command's leader with its start time as in /proc/PID/stat (0: unknown), `-PID` says that it is over. A leader's pid
 * is also the number of its group and session. It counts only while no other process has the number.
 *
 * A found process is stopped at once, so that it cannot end and give its number away before the look is over and it is killed.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  /* Looks before it gives up: with their pauses about 1 s, within the promised 2 s. */
  MAX_LOOKS = 30,
  PAUSE_MS = 30,
  /* The first looks come without a pause. */
  QUICK_LOOKS = 2,
  /* Looks in a row that must find nothing before it ends, because a process may have forked during one. */
  CLEAN_LOOKS = 2,
  /* Passes of one look. Each follows the relatives of the processes that the pass before has found and stopped. */
  MAX_PASSES = 7,
  /* Largest number of a process, plus one (PID_MAX_LIMIT of Linux). */
  PIDS = 4 * 1024 * 1024,
  /* Longer than any line of /proc/PID/stat, and than any path here. */
  LINE_BYTES = 1024,
  PATH_BYTES = 320,
  PIECE_BYTES = 65536,
};

struct leader {
  int pid;
  unsigned long long start;
  /* Whether a process of it was seen in this look. */
  bool met;
};

struct process {
  char state;
  int parent, group, session, threads;
  unsigned long long start;
};

static struct leader *leaders;
static size_t leader_count, leader_room;

/* Sets of process numbers, a bit each. */
static unsigned char related[PIDS / 8];
static unsigned char found[PIDS / 8];

static bool has(const unsigned char *set, int pid) { return pid > 0 && pid < PIDS && (set[pid / 8] >> (pid % 8) & 1) != 0; }

static void add(unsigned char *set, int pid) {
  if (pid > 0 && pid < PIDS) set[pid / 8] = (unsigned char)(set[pid / 8] | 1 << (pid % 8));
}

static void watch(int pid, unsigned long long start) {
  if (leader_count == leader_room) {
    size_t room = leader_room == 0 ? 64 : leader_room * 2;
    struct leader *grown = realloc(leaders, room * sizeof *leaders);
    /* The marker may still find this one. */
    if (grown == NULL) return;
    leaders = grown;
    leader_room = room;
  }
  leaders[leader_count++] = (struct leader){.pid = pid, .start = start, .met = false};
}

static void forget(int pid) {
  for (size_t i = 0; i < leader_count; i++) {
    if (leaders[i].pid != pid) continue;
    leaders[i] = leaders[--leader_count];
    return;
  }
}

static void read_commands(void) {
  char line[LINE_BYTES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    int pid = 0;
    unsigned long long start = 0;
    /* A leader is no process of the system's own: -1 would be all processes. */
    if (sscanf(line, "+%d %llu", &pid, &start) >= 1 && pid > 1) watch(pid, start);
    if (sscanf(line, "-%d", &pid) == 1 && pid > 1) forget(pid);
  }
}

/* Reads at most size - 1 bytes of a small file. */
static bool read_text(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, text, size - 1);
  close(file);
  if (length <= 0) return false;
  text[length] = '\0';
  return true;
}

static bool read_process(int pid, struct process *process) {
  char path[PATH_BYTES], text[LINE_BYTES];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (!read_text(path, text, sizeof text)) return false;
  /* The name before it may hold any character. */
  const char *rest = strrchr(text, ')');
  if (rest == NULL) return false;
  return sscanf(rest, ") %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu", &process->state, &process->parent, &process->group,
                &process->session, &process->threads, &process->start) == 6;
}

/* Whether the environment of a process or a thread holds the marker. */
static bool environment_has(const char *path, const char *marker) {
  static char piece[PIECE_BYTES];
  size_t kept = 0, length = strlen(marker);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool holds = false;
  for (;;) {
    ssize_t count = read(file, piece + kept, sizeof piece - kept);
    if (count <= 0) break;
    size_t filled = kept + (size_t)count;
    holds = memmem(piece, filled, marker, length) != NULL;
    if (holds) break;
    /* The marker may lie across two pieces. */
    kept = filled < length ? filled : length - 1;
    memmove(piece, piece + filled - kept, kept);
  }
  close(file);
  return holds;
}

/* Calls `visit` for each number among the names in a folder, until it returns false. */
static void each_number(const char *folder, bool (*visit)(int number, const void *with), const void *with) {
  DIR *entries = opendir(folder);
  if (entries == NULL) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (!visit(atoi(entry->d_name), with)) break;
  }
  closedir(entries);
}

static bool mark(int pid, const void *marker) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "/proc/%d/environ", pid);
  if (pid != getpid() && environment_has(path, marker)) add(related, pid);
  return true;
}

struct thread_search {
  int pid;
  const char *marker;
  bool *holds;
};

static bool search_thread(int thread, const void *with) {
  const struct thread_search *search = with;
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "/proc/%d/task/%d/environ", search->pid, thread);
  *search->holds = environment_has(path, search->marker);
  return !*search->holds;
}

/* For a process whose main thread has ended: its environment can be read through the other threads only. */
static bool thread_has(int pid, const char *marker) {
  bool holds = false;
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  struct thread_search search = {.pid = pid, .marker = marker, .holds = &holds};
  each_number(path, search_thread, &search);
  return holds;
}

/* Forgets the leaders whose number another process has. */
static void verify(void) {
  size_t kept = 0;
  for (size_t i = 0; i < leader_count; i++) {
    struct process process;
    if (leaders[i].start != 0 && read_process(leaders[i].pid, &process) && process.start != leaders[i].start) continue;
    leaders[i].met = false;
    leaders[kept++] = leaders[i];
  }
  leader_count = kept;
}

static bool is_leader(int pid, unsigned long long start) {
  for (size_t i = 0; i < leader_count; i++) {
    if (leaders[i].pid != pid || (leaders[i].start != 0 && leaders[i].start != start)) continue;
    leaders[i].met = true;
    return true;
  }
  return false;
}

/* Whether a number of a group or session is a leader's, and a process with this start time may belong to that leader. */
static bool is_led(int number, unsigned long long start) {
  for (size_t i = 0; i < leader_count; i++) {
    if (leaders[i].pid != number) continue;
    if (start < leaders[i].start) return false;
    leaders[i].met = true;
    return true;
  }
  return false;
}

static bool grown;

static bool stop_if_ours(int pid, const void *marker) {
  struct process process;
  if (has(found, pid) || pid <= 1 || pid == getpid() || !read_process(pid, &process)) return true;
  bool is_zombie = process.state == 'Z' || process.state == 'X';
  if (is_zombie && process.threads <= 1) return true;
  bool is_ours = is_leader(pid, process.start) || is_led(process.group, process.start) || is_led(process.session, process.start) || has(related, pid) ||
                 has(related, process.parent) || has(related, process.group) || has(related, process.session) ||
                 (process.state == 'Z' && thread_has(pid, marker));
  if (!is_ours) return true;
  kill(pid, SIGSTOP);
  add(related, pid);
  add(found, pid);
  grown = true;
  return true;
}

static bool kill_if_found(int pid, const void *found_any) {
  (void)found_any;
  if (has(found, pid)) kill(pid, SIGKILL);
  return true;
}

/* One look. Returns whether it has found and killed any process. */
static bool look(const char *marker) {
  bool found_any = false;
  memset(related, 0, sizeof related);
  memset(found, 0, sizeof found);
  verify();
  each_number("/proc", mark, marker);
  grown = true;
  for (int pass = 0; grown && pass < MAX_PASSES; pass++) {
    grown = false;
    each_number("/proc", stop_if_ours, marker);
    found_any = found_any || grown;
  }
  /* The numbers of leaders without any process are free. */
  size_t kept = 0;
  for (size_t i = 0; i < leader_count; i++) {
    if (leaders[i].met) leaders[kept++] = leaders[i];
  }
  leader_count = kept;
  if (found_any) each_number("/proc", kill_if_found, NULL);
  return found_any;
}

/* Whether /proc uses the numbers of this process's own PID namespace. */
static bool sees_processes(void) {
  char self[32];
  ssize_t length = readlink("/proc/self", self, sizeof self - 1);
  if (length < 0) return false;
  self[length] = '\0';
  return atoi(self) == getpid();
}

static void kill_groups(void) {
  for (size_t i = 0; i < leader_count; i++) {
    kill(-leaders[i].pid, SIGKILL);
    kill(leaders[i].pid, SIGKILL);
  }
}

/* Kills everything in the control groups of the commands. */
static void kill_cgroup(const char *folder) {
  int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  int file = openat(directory, "cgroup.kill", O_WRONLY | O_CLOEXEC);
  /* The looks find what is left if this fails. */
  if (file >= 0 && write(file, "1", 1) == 1) close(file);
  close(directory);
}

/* Removes the control groups of the commands, and the folder. What cannot be removed is left to the next server. */
static void remove_cgroup(const char *folder) {
  DIR *entries = opendir(folder);
  if (entries == NULL) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
  }
  closedir(entries);
  rmdir(folder);
}

int guard(const char *marker, const char *folder) {
  const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
  if (marker[0] == '\0') fail(EXIT_LAUNCHER, "@guardian needs a marker", 0);
  if (chdir("/") != 0) fail(EXIT_LAUNCHER, "/", errno);
  read_commands();
  if (folder != NULL) kill_cgroup(folder);
  if (!sees_processes()) {
    kill_groups();
    return 0;
  }
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = PAUSE_MS * 1000L * 1000L};
  int clean = 0;
  for (int looks = 0; looks < MAX_LOOKS && clean < CLEAN_LOOKS; looks++) {
    if (looks > QUICK_LOOKS) nanosleep(&pause, NULL);
    clean = look(marker) ? 0 : clean + 1;
  }
  if (folder != NULL) remove_cgroup(folder);
  return 0;
}
