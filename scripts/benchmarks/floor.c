/* The floor: how fast this machine runs `sh -c COMMAND` when nothing else is done.
 *
 *   floor THREADS PARALLEL JOBS COMMAND
 *
 * Each thread keeps its share of PARALLEL jobs going with posix_spawn, reads their output through
 * epoll, and reaps them by pidfd; a job is over when its output has ended and it was reaped, as in
 * the kicker. Prints "SECONDS CPU_SECONDS", the latter of this process and of all its children.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char *command;
static int null_fd;

struct job {
    pid_t pid;
    int output, pidfd; /* -1 once it has ended */
};

struct share {
    int parallel, jobs;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int epoll, int fd, uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void start(struct job *job, int slot, int epoll, posix_spawnattr_t *attributes) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC)) fail("pipe2");
    fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, null_fd, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    char *argv[] = {"sh", "-c", command, NULL};
    errno = posix_spawn(&job->pid, "/bin/sh", &actions, attributes, argv, environ);
    if (errno) fail("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    job->output = pipe_ends[0];
    job->pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0);
    if (job->pidfd < 0) fail("pidfd_open");
    watch(epoll, job->output, (uint64_t)slot << 1);
    watch(epoll, job->pidfd, (uint64_t)slot << 1 | 1);
}

static void *run(void *argument) {
    struct share *share = argument;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct job *jobs = calloc((size_t)share->parallel, sizeof *jobs);
    struct epoll_event events[64];
    static __thread char piece[65536];
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int started = 0, over = 0;
    while (started < share->parallel && started < share->jobs) {
        start(&jobs[started], started, epoll, &attributes);
        started++;
    }
    while (over < share->jobs) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int slot = (int)(events[i].data.u64 >> 1);
            struct job *job = &jobs[slot];
            if (events[i].data.u64 & 1) {
                waitpid(job->pid, NULL, 0);
                epoll_ctl(epoll, EPOLL_CTL_DEL, job->pidfd, NULL);
                close(job->pidfd);
                job->pidfd = -1;
            } else if (read(job->output, piece, sizeof piece) == 0) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, job->output, NULL);
                close(job->output);
                job->output = -1;
            }
            if (job->pidfd >= 0 || job->output >= 0) continue;
            over++;
            if (started < share->jobs) {
                start(job, slot, epoll, &attributes);
                started++;
            }
        }
    }
    free(jobs);
    return NULL;
}

static double cpu(int who) {
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: floor THREADS PARALLEL JOBS COMMAND\n");
        return 2;
    }
    int threads = atoi(argv[1]), parallel = atoi(argv[2]), jobs = atoi(argv[3]);
    command = argv[4];
    null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_t ids[threads];
    struct share shares[threads];
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < threads; i++) {
        shares[i].parallel = parallel * (i + 1) / threads - parallel * i / threads;
        shares[i].jobs = jobs * (i + 1) / threads - jobs * i / threads;
        pthread_create(&ids[i], NULL, run, &shares[i]);
    }
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.6f %.6f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
           cpu(RUSAGE_SELF) + cpu(RUSAGE_CHILDREN));
    return 0;
}
