/* An SQS and a DynamoDB for benchmarks: see server.c. */
#ifndef AWS_H
#define AWS_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of a text, not ended by a NUL. TEXT(piece) are the arguments of "%.*s". */
struct text {
    const char *at;
    size_t length;
};
#define TEXT(piece) (int)(piece).length, (piece).at

bool is(struct text text, const char *word);
/* As above, for keywords in any case. */
bool is_word(struct text text, const char *word);
char *copy_of(struct text text);

/* json.c. A value: text is a string without its quotes, as it was escaped, or the whole of any other
 * value. key: in an object. The tree is valid until the next parse(). */
struct json {
    char type; /* '"', '{', '[' or 0 for numbers, true, false, null */
    struct text text, key;
    struct json *first, *next;
};
struct json *parse(const char *text);
/* NULL if it is missing. */
struct json *field(struct json *object, const char *key);
struct text field_text(struct json *object, const char *key);
double field_number(struct json *object, const char *key, double otherwise);

/* A text that grows. */
struct out {
    char *at;
    size_t length, size;
};
void say(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put(struct out *out, struct text text);

/* server.c. One connection has at most one request at a time. */
struct connection {
    int fd;
    char *in;
    size_t have, room, from; /* from: where its body begins */
    int status;
    struct out out; /* the body of the response */
    double due;     /* when it is sent */
    bool pending, closed;
    struct connection *next_due;
    /* a long poll: */
    struct queue *queue;
    int limit;
    double visibility, until;
    bool all;
    struct connection *next_poller;
};
extern int port;
double now(void);
void answer(struct connection *connection);
void fail(const char *what);

/* sqs.c. False: it answers later. */
bool sqs(struct connection *connection, struct text action, struct json *request);
void fill(struct json *request);
void tell_queues(struct out *out);
void hang_up(struct connection *poller);
/* End long polls whose time is over, and make messages visible again. Returns when to call again. */
double sqs_turn(void);

/* dynamodb.c */
void dynamodb(struct connection *connection, struct text action, struct json *request);

#endif
