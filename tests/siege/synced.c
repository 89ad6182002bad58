/*
 * Keeps, beside a folder, what a power cut would leave of it: each file as it was when it was last synced, under the names
 * that its folder had when that was last synced. To be loaded before the C library (LD_PRELOAD).
 *
 * SYNCED_FOLDER: the folder that is watched. SYNCED_KEPT: where `file.<id>` and `names` go. SYNCED_BLIND: how names of files
 * begin whose syncs are lost, `.` for those of the folder; as if the program had forgotten them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* An inode that is used again is another file: its birth tells it apart, to the millisecond. */
struct id {
  unsigned long inode;
  long long born;
};

static struct id id_of(const char *path) {
  struct statx about;
  if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &about) != 0) return (struct id){0, 0};
  long long born = about.stx_mask & STATX_BTIME ? about.stx_btime.tv_sec * 1000LL + about.stx_btime.tv_nsec / 1000000 : 0;
  return (struct id){about.stx_ino, born};
}

static void replace(const char *from, const char *to) {
  if (rename(from, to) != 0) abort();
}

/* The file's bytes, then a rename: whoever reads what is kept never meets half of one. */
static void keep_file(int fd, const char *kept) {
  char part[PATH_MAX], whole[PATH_MAX], source[64], buffer[65536];
  snprintf(part, sizeof part, "%s/part", kept);
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  struct id id = id_of(source);
  snprintf(whole, sizeof whole, "%s/file.%lu-%lld", kept, id.inode, id.born);
  int in = open(source, O_RDONLY | O_CLOEXEC), out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (in < 0 || out < 0) abort();
  for (ssize_t length; (length = read(in, buffer, sizeof buffer)) > 0;)
    if (write(out, buffer, (size_t)length) != length) abort();
  close(in);
  close(out);
  replace(part, whole);
}

static void keep_names(const char *folder, const char *kept) {
  char part[PATH_MAX], whole[PATH_MAX], path[PATH_MAX];
  snprintf(part, sizeof part, "%s/part", kept);
  snprintf(whole, sizeof whole, "%s/names", kept);
  FILE *names = fopen(part, "w");
  DIR *entries = opendir(folder);
  if (names == NULL || entries == NULL) abort();
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    struct id id = id_of(path);
    if (lstat(path, &about) == 0 && S_ISREG(about.st_mode))
      fprintf(names, "%lu-%lld %s\n", id.inode, id.born, entry->d_name);
  }
  closedir(entries);
  fclose(names);
  replace(part, whole);
}

static int is_lost(const char *name) {
  const char *blind = getenv("SYNCED_BLIND");
  return blind != NULL && strncmp(name, blind, strlen(blind)) == 0;
}

static void keep(int fd) {
  const char *folder = getenv("SYNCED_FOLDER"), *kept = getenv("SYNCED_KEPT");
  char link[64], path[PATH_MAX];
  struct stat about;
  if (folder == NULL || kept == NULL || fstat(fd, &about) != 0) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;
  if (strncmp(path, folder, strlen(folder)) != 0) return;
  if (is_lost(strcmp(path, folder) == 0 ? "." : strrchr(path, '/') + 1)) return;
  pthread_mutex_lock(&one_at_a_time);
  if (S_ISREG(about.st_mode)) keep_file(fd, kept);
  else if (S_ISDIR(about.st_mode) && strcmp(path, folder) == 0) keep_names(folder, kept);
  pthread_mutex_unlock(&one_at_a_time);
}

int fsync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  int result = next(fd);
  if (result == 0) keep(fd);
  return result;
}

int fdatasync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = next(fd);
  if (result == 0) keep(fd);
  return result;
}
