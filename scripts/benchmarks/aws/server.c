/* An SQS and a DynamoDB for benchmarks: in memory, over AWS's JSON protocols, on a loopback port.
 *
 *   aws DELAY_SECONDS
 *
 * Prints its port. One thread with epoll, so that it takes few of the cycles that it shares with what
 * is measured. It delays each response by DELAY_SECONDS, checks no signatures, knows no permissions,
 * and has as many queues and tables as are named. Besides AWS's actions it takes these, as POST with
 * a JSON object:
 *
 * /fill  {"queue", "count", "messages": [{"body", "md5"}]}: put `count` messages into the queue, these
 *        bodies in turn.
 * /delay {"seconds"}: delay responses by so much from now on.
 * /tell  {}: its time (seconds of the monotonic clock), its CPU seconds, the calls so far by action, how
 *        many messages were deleted, and by queue how many times it was received from, how many
 *        messages wait, and when one was last deleted.
 */
#define _GNU_SOURCE
#include "aws.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int port;

static int epoll;
static double delay;
static struct connection *first_due, **last_due = &first_due;
static struct {
    char name[48];
    long count;
} calls[32];

void fail(const char *what) {
    perror(what);
    exit(1);
}

static double clock_of(clockid_t id) {
    struct timespec at;
    clock_gettime(id, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

double now(void) { return clock_of(CLOCK_MONOTONIC); }

static void destroy(struct connection *connection) {
    free(connection->in);
    free(connection->out.at);
    free(connection);
}

static void hung_up(struct connection *connection) {
    close(connection->fd);
    connection->closed = true;
    if (connection->queue) hang_up(connection);
    if (!connection->pending) destroy(connection);
}

static void transmit(struct connection *connection) {
    static long number;
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\n"
                          "x-amzn-RequestId: 00000000-0000-4000-8000-%012lx\r\nContent-Length: %zu\r\n\r\n",
                          connection->status, connection->status == 200 ? "OK" : "Bad Request", ++number,
                          connection->out.length);
    struct iovec parts[] = {{head, (size_t)length}, {connection->out.at, connection->out.length}};
    for (int i = 0; i < 2;) {
        ssize_t sent = writev(connection->fd, parts + i, 2 - i);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return; /* It has hung up, as epoll says too. */
        if (sent < 0) poll(&(struct pollfd){.fd = connection->fd, .events = POLLOUT}, 1, -1);
        for (; i < 2 && sent >= (ssize_t)parts[i].iov_len; i++) sent -= (ssize_t)parts[i].iov_len;
        if (i < 2 && sent > 0) {
            parts[i].iov_base = (char *)parts[i].iov_base + sent;
            parts[i].iov_len -= (size_t)sent;
        }
    }
}

void answer(struct connection *connection) {
    connection->due = now() + delay;
    connection->pending = true;
    connection->next_due = NULL;
    *last_due = connection;
    last_due = &connection->next_due;
}

static void transmit_due(void) {
    while (first_due && first_due->due <= now()) {
        struct connection *connection = first_due;
        first_due = connection->next_due;
        if (!first_due) last_due = &first_due;
        connection->pending = false;
        if (connection->closed) {
            destroy(connection);
            continue;
        }
        transmit(connection);
    }
}

static void count_call(struct text action) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (!calls[i].count) snprintf(calls[i].name, sizeof calls[i].name, "%.*s", TEXT(action));
        if (is(action, calls[i].name)) {
            calls[i].count++;
            return;
        }
    }
}

static void tell(struct out *out) {
    say(out, "{\"now\":%.6f,\"cpu\":%.6f,\"calls\":{", now(), clock_of(CLOCK_PROCESS_CPUTIME_ID));
    for (int i = 0; calls[i].count; i++)
        say(out, "%s\"%s\":%ld", i ? "," : "", calls[i].name, calls[i].count);
    say(out, "},");
    tell_queues(out);
    say(out, "}");
}

/* target: as in the header X-Amz-Target. */
static void serve(struct connection *connection, struct text path, struct text target) {
    struct json *request = parse(connection->in + connection->from);
    connection->out.length = 0;
    connection->status = 200;
    if (!target.length) {
        if (is(path, "/fill")) fill(request);
        if (is(path, "/delay")) delay = field_number(request, "seconds", 0);
        if (is(path, "/tell"))
            tell(&connection->out);
        else
            say(&connection->out, "{}");
        transmit(connection);
        return;
    }
    const char *dot = memrchr(target.at, '.', target.length);
    if (!dot) dot = target.at - 1;
    struct text action = {dot + 1, target.length - (size_t)(dot + 1 - target.at)};
    count_call(action);
    if (target.length > 9 && !memcmp(target.at, "AmazonSQS", 9)) {
        if (!sqs(connection, action, request)) return;
    } else {
        dynamodb(connection, action, request);
    }
    answer(connection);
}

static struct text header(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    if (!found) return (struct text){"", 0};
    found += strlen(name);
    found += strspn(found, " ");
    return (struct text){found, strcspn(found, "\r")};
}

static void serve_if_complete(struct connection *connection) {
    connection->in[connection->have] = 0;
    char *end = memmem(connection->in, connection->have, "\r\n\r\n", 4);
    if (!end) return;
    *end = 0; /* So that no header is looked for in the body. */
    size_t length = strtoul(header(connection->in, "\r\nContent-Length:").at, NULL, 10);
    connection->from = (size_t)(end + 4 - connection->in);
    if (connection->have < connection->from + length) {
        *end = '\r';
        return;
    }
    const char *path = connection->in + strcspn(connection->in, " ") + 1;
    connection->have = 0;
    serve(connection, (struct text){path, strcspn(path, " ?")}, header(connection->in, "\r\nX-Amz-Target:"));
}

static void receive(struct connection *connection) {
    if (connection->room < connection->have + 65536) {
        connection->room = 2 * connection->have + 65536;
        connection->in = realloc(connection->in, connection->room + 1);
        if (!connection->in) fail("realloc");
    }
    ssize_t came = read(connection->fd, connection->in + connection->have, connection->room - connection->have);
    if (came < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (came <= 0) {
        hung_up(connection);
        return;
    }
    connection->have += (size_t)came;
    serve_if_complete(connection);
}

static void watch(int fd, void *data) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void accept_all(int listening) {
    int fd, on = 1;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection) fail("calloc");
        connection->fd = fd;
        watch(fd, connection);
    }
}

static int listening_socket(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024)) fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    port = ntohs(address.sin_port);
    printf("%d\n", port);
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: aws DELAY_SECONDS\n");
        return 2;
    }
    delay = strtod(argv[1], NULL);
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listening = listening_socket();
    watch(listening, NULL);
    for (;;) {
        double next = sqs_turn();
        if (first_due && first_due->due < next) next = first_due->due;
        double left = next - now();
        if (left < 0) left = 0;
        struct timespec wait = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
        struct epoll_event events[64];
        int count = epoll_pwait2(epoll, events, 64, &wait, NULL);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                accept_all(listening);
        }
        transmit_due();
    }
}
