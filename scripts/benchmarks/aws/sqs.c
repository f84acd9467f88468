/* Standard queues of SQS. */
#define _GNU_SOURCE
#include "aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct message {
    struct message *next;
    char *body, *md5, *attributes; /* as they were escaped; attributes may be NULL */
    long long number, sent;
    int receives;
};

struct queue {
    struct queue *next;
    char *name;
    struct message *first, **last;
    long waiting, receives;
    double deleted_at;
    struct connection *pollers;
};

/* A message in flight; its index is the receipt handle. */
struct flight {
    struct message *message; /* NULL once it is deleted or visible again */
    struct queue *queue;
    double until;
};

static struct queue *queues;
static struct flight *flights;
static size_t flown, room, oldest; /* none before `oldest` is in flight */
static long deleted;
static long long numbers;

/* name: or the URL that ends with it. */
static struct queue *queue_of(struct text name) {
    const char *slash = memrchr(name.at, '/', name.length);
    if (slash) name = (struct text){slash + 1, name.length - (size_t)(slash + 1 - name.at)};
    for (struct queue *one = queues; one; one = one->next)
        if (is(name, one->name)) return one;
    struct queue *made = calloc(1, sizeof *made);
    if (!made) fail("calloc");
    made->name = copy_of(name);
    made->last = &made->first;
    made->next = queues;
    return queues = made;
}

static struct flight *take_off(struct queue *queue, double until) {
    if (flown == room) {
        room = 2 * room + 1024;
        flights = realloc(flights, room * sizeof *flights);
        if (!flights) fail("realloc");
    }
    struct message *message = queue->first;
    queue->first = message->next;
    if (!queue->first) queue->last = &queue->first;
    queue->waiting--;
    message->receives++;
    flights[flown] = (struct flight){message, queue, until};
    return &flights[flown++];
}

static void give(struct connection *connection, struct queue *queue) {
    struct out *out = &connection->out;
    double until = now() + connection->visibility;
    say(out, "{");
    for (int i = 0; i < connection->limit && queue->first; i++) {
        struct message *message = take_off(queue, until)->message;
        say(out, "%s{\"MessageId\":\"00000000-0000-4000-8000-%012llx\",\"ReceiptHandle\":\"h%zu\",\"MD5OfBody\":\"%s\",",
            i ? "," : "\"Messages\":[", message->number, flown - 1, message->md5);
        say(out, "\"Body\":\"%s\",\"Attributes\":{\"SentTimestamp\":\"%lld\",\"ApproximateReceiveCount\":\"%d\"", message->body,
            message->sent, message->receives);
        if (connection->all)
            say(out, ",\"SenderId\":\"x\",\"ApproximateFirstReceiveTimestamp\":\"%lld\"", message->sent);
        say(out, "}");
        if (message->attributes) say(out, ",\"MessageAttributes\":%s", message->attributes);
        say(out, "}");
    }
    say(out, out->length > 1 ? "]}" : "}");
}

void hang_up(struct connection *poller) {
    for (struct connection **one = &poller->queue->pollers; *one; one = &(*one)->next_poller)
        if (*one == poller) {
            *one = poller->next_poller;
            break;
        }
    poller->queue = NULL;
}

static void end_poll(struct connection *poller) {
    struct queue *queue = poller->queue;
    hang_up(poller);
    give(poller, queue);
    answer(poller);
}

static bool receive(struct connection *connection, struct queue *queue, struct json *request) {
    double wait = field_number(request, "WaitTimeSeconds", 0);
    struct json *names = field(request, "AttributeNames");
    if (!names) names = field(request, "MessageSystemAttributeNames");
    queue->receives++;
    connection->limit = (int)field_number(request, "MaxNumberOfMessages", 1);
    connection->visibility = field_number(request, "VisibilityTimeout", 30);
    connection->all = names && names->first && is(names->first->text, "All");
    if (queue->first || wait <= 0) {
        give(connection, queue);
        return true;
    }
    connection->until = now() + wait;
    connection->queue = queue;
    connection->next_poller = NULL;
    struct connection **last = &queue->pollers;
    while (*last) last = &(*last)->next_poller;
    *last = connection;
    return false;
}

static void append(struct queue *queue, struct message *message) {
    message->next = NULL;
    *queue->last = message;
    queue->last = &message->next;
    queue->waiting++;
}

static void wake(struct queue *queue) {
    while (queue->first && queue->pollers) end_poll(queue->pollers);
}

static struct message *new_message(char *body, char *md5, char *attributes) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    struct message *made = calloc(1, sizeof *made);
    if (!made) fail("calloc");
    *made = (struct message){.body = body, .md5 = md5, .attributes = attributes, .number = ++numbers};
    made->sent = at.tv_sec * 1000LL + at.tv_nsec / 1000000;
    return made;
}

static void send(struct out *out, struct queue *queue, struct json *request) {
    struct json *attributes = field(request, "MessageAttributes");
    struct message *message =
        new_message(copy_of(field_text(request, "MessageBody")), "", attributes ? copy_of(attributes->text) : NULL);
    append(queue, message);
    say(out, "{\"MessageId\":\"00000000-0000-4000-8000-%012llx\",\"MD5OfMessageBody\":\"\"}", message->number);
    wake(queue);
}

void fill(struct json *request) {
    struct queue *queue = queue_of(field_text(request, "queue"));
    long count = (long)field_number(request, "count", 0);
    struct json *messages = field(request, "messages")->first;
    while (count > 0)
        for (struct json *one = messages; one && count-- > 0; one = one->next)
            append(queue, new_message(copy_of(field_text(one, "body")), copy_of(field_text(one, "md5")), NULL));
    wake(queue);
}

static struct flight *flight_of(struct json *entry) {
    struct text handle = field_text(entry, "ReceiptHandle");
    size_t number = strtoul(handle.length ? handle.at + 1 : "", NULL, 10);
    return handle.length && *handle.at == 'h' && number < flown && flights[number].message ? &flights[number] : NULL;
}

static void delete(struct json *entry) {
    struct flight *flight = flight_of(entry);
    if (!flight) return;
    deleted++;
    flight->queue->deleted_at = now();
    free(flight->message->body);
    free(flight->message);
    flight->message = NULL;
}

static void land(struct flight *flight) {
    append(flight->queue, flight->message);
    flight->message = NULL;
    wake(flight->queue);
}

static void change(struct json *entry) {
    struct flight *flight = flight_of(entry);
    if (!flight) return;
    flight->until = now() + field_number(entry, "VisibilityTimeout", 30);
    if (flight->until <= now()) land(flight);
}

static void each(struct out *out, struct json *request, void (*one)(struct json *)) {
    const char *comma = "";
    say(out, "{\"Failed\":[],\"Successful\":[");
    for (struct json *entry = field(request, "Entries")->first; entry; entry = entry->next, comma = ",") {
        one(entry);
        say(out, "%s{\"Id\":\"%.*s\"}", comma, TEXT(field_text(entry, "Id")));
    }
    say(out, "]}");
}

bool sqs(struct connection *connection, struct text action, struct json *request) {
    struct out *out = &connection->out;
    struct text url = field_text(request, "QueueUrl"), name = field_text(request, "QueueName");
    if (is(action, "ReceiveMessage")) return receive(connection, queue_of(url), request);
    if (is(action, "SendMessage")) {
        send(out, queue_of(url), request);
    } else if (is(action, "DeleteMessageBatch")) {
        each(out, request, delete);
    } else if (is(action, "ChangeMessageVisibilityBatch")) {
        each(out, request, change);
    } else if (is(action, "DeleteMessage")) {
        delete(request);
        say(out, "{}");
    } else if (is(action, "ChangeMessageVisibility")) {
        change(request);
        say(out, "{}");
    } else if (is(action, "GetQueueUrl") || is(action, "CreateQueue")) {
        say(out, "{\"QueueUrl\":\"http://127.0.0.1:%d/123456789012/%.*s\"}", port, TEXT(name));
    } else if (is(action, "GetQueueAttributes")) {
        say(out,
            "{\"Attributes\":{\"VisibilityTimeout\":\"30\",\"MessageRetentionPeriod\":\"345600\","
            "\"ApproximateNumberOfMessages\":\"%ld\"}}",
            queue_of(url)->waiting);
    } else if (is(action, "ListQueues")) {
        say(out, "{\"QueueUrls\":[]}");
    } else {
        connection->status = 400;
        say(out, "{\"__type\":\"com.amazonaws.sqs#UnsupportedOperation\",\"message\":\"%.*s\"}", TEXT(action));
    }
    return true;
}

void tell_queues(struct out *out) {
    say(out, "\"deleted\":%ld,\"receives\":{", deleted);
    for (struct queue *one = queues; one; one = one->next)
        say(out, "%s\"%s\":%ld", one == queues ? "" : ",", one->name, one->receives);
    say(out, "},\"waiting\":{");
    for (struct queue *one = queues; one; one = one->next)
        say(out, "%s\"%s\":%ld", one == queues ? "" : ",", one->name, one->waiting);
    say(out, "},\"last\":{");
    for (struct queue *one = queues; one; one = one->next)
        say(out, "%s\"%s\":%.6f", one == queues ? "" : ",", one->name, one->deleted_at);
    say(out, "}");
}

/* Once a second: a lapse seen a little late changes nothing here. */
static void land_lapsed(double at) {
    while (oldest < flown && !flights[oldest].message) oldest++;
    for (size_t i = oldest; i < flown; i++)
        if (flights[i].message && flights[i].until <= at) land(&flights[i]);
}

double sqs_turn(void) {
    static double next_check;
    double at = now(), next = at + 1;
    if (at >= next_check) {
        next_check = at + 1;
        land_lapsed(at);
    }
    for (struct queue *queue = queues; queue; queue = queue->next) {
        while (queue->pollers && queue->pollers->until <= at) end_poll(queue->pollers);
        /* They wait equally long, so the first in line is the next to end. */
        if (queue->pollers && queue->pollers->until < next) next = queue->pollers->until;
    }
    return next;
}
