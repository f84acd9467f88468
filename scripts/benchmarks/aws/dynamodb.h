#ifndef DYNAMODB_H
#define DYNAMODB_H

#include "aws.h"

/* Attributes that an item has at most. */
#define MOST 24

/* type: "S" or "N", "" if there is none. */
struct value {
    char type[5];
    struct text text;
};
extern const struct value missing;

/* id, kind: its key. An item that does not exist has no attributes. */
struct item {
    struct item *next;
    char *id, *kind;
    int count;
    struct {
        char name[32];
        struct value value; /* a copy of its own */
    } attributes[MOST];
};
const struct value *attribute(const struct item *item, struct text name);

/* A text that is read on and on, for an item. names, values: of DynamoDB's expressions; parameters: of
 * PartiQL's. sums: what was added lately. */
struct expression {
    const char *at;
    const struct item *item;
    struct json *names, *values, *parameters;
    char sums[4][24];
    int summed;
};
struct text peek(struct expression *in);
struct text next(struct expression *in);
bool next_is(struct expression *in, const char *word);
struct text name(struct expression *in, struct text token);
struct value value_of(struct json *typed);
struct value operand(struct expression *in);
bool condition(struct expression *in);

/* What an update does: set the attribute, or remove it if the value is missing. */
struct changes {
    int count;
    struct change {
        struct text name;
        struct value value;
    } all[MOST];
};
void update(struct expression *in, struct changes *changes);

#endif
