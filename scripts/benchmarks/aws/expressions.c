/* Conditions and updates, as DynamoDB's expressions and as PartiQL's statements have them. */
#define _GNU_SOURCE
#include "dynamodb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct value *attribute(const struct item *item, struct text name) {
    for (int i = 0; i < item->count; i++)
        if (is(name, item->attributes[i].name)) return &item->attributes[i].value;
    return &missing;
}

const struct value missing = {.type = ""};

struct text peek(struct expression *in) {
    in->at += strspn(in->at, " \t\r\n");
    size_t length = strspn(in->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_#:.-");
    if (!length && (*in->at == '"' || *in->at == '\'')) length = 2 + strcspn(in->at + 1, *in->at == '"' ? "\"" : "'");
    if (!length) length = 1 + (strchr("<>", *in->at) && *in->at && strchr("=>", in->at[1]) && in->at[1]);
    return (struct text){in->at, *in->at ? length : 0};
}

struct text next(struct expression *in) {
    struct text token = peek(in);
    in->at += token.length;
    return token;
}

bool next_is(struct expression *in, const char *word) {
    if (!is_word(peek(in), word)) return false;
    next(in);
    return true;
}

/* The name of an attribute: as it is, behind a #placeholder, or in quotes. */
struct text name(struct expression *in, struct text token) {
    if (token.length && *token.at == '#') {
        for (struct json *one = in->names ? in->names->first : NULL; one; one = one->next)
            if (one->key.length == token.length && !memcmp(one->key.at, token.at, token.length)) return one->text;
    }
    if (token.length > 1 && (*token.at == '"' || *token.at == '\'')) return (struct text){token.at + 1, token.length - 2};
    return token;
}

struct value value_of(struct json *typed) {
    struct value made = missing;
    if (typed && typed->first) {
        snprintf(made.type, sizeof made.type, "%.*s", TEXT(typed->first->key));
        made.text = typed->first->text;
    }
    return made;
}

static struct value literal(const char *type, struct text text) {
    struct value made = {.text = text};
    snprintf(made.type, sizeof made.type, "%s", type);
    return made;
}

static struct value simple(struct expression *in) {
    struct text token = next(in);
    char first = token.length ? *token.at : 0;
    if (first == '?') {
        struct json *parameter = in->parameters;
        in->parameters = parameter ? parameter->next : NULL;
        return value_of(parameter);
    }
    if (first == ':') {
        for (struct json *one = in->values ? in->values->first : NULL; one; one = one->next)
            if (one->key.length == token.length && !memcmp(one->key.at, token.at, token.length)) return value_of(one);
        return missing;
    }
    if (first == '\'') return literal("S", name(in, token));
    if (first && strchr("-0123456789", first)) return literal("N", token);
    if (is_word(token, "if_not_exists")) {
        next_is(in, "(");
        struct value known = *attribute(in->item, name(in, next(in)));
        next_is(in, ",");
        struct value otherwise = operand(in);
        next_is(in, ")");
        return *known.type ? known : otherwise;
    }
    return *attribute(in->item, name(in, token));
}

struct value operand(struct expression *in) {
    struct value left = simple(in);
    while (next_is(in, "+")) {
        struct value right = simple(in);
        char *sum = in->sums[in->summed++ % 4];
        snprintf(sum, sizeof in->sums[0], "%lld", strtoll(left.text.at, NULL, 10) + strtoll(right.text.at, NULL, 10));
        left = literal("N", (struct text){sum, strlen(sum)});
    }
    return left;
}

static bool compare(struct value left, struct text how, struct value right) {
    if (!*left.type || !*right.type || strcmp(left.type, right.type)) return is(how, "<>");
    double order = strcmp(left.type, "N") ? 0 : strtod(left.text.at, NULL) - strtod(right.text.at, NULL);
    if (strcmp(left.type, "N")) {
        size_t shorter = left.text.length < right.text.length ? left.text.length : right.text.length;
        order = memcmp(left.text.at, right.text.at, shorter);
        if (order == 0) order = (double)left.text.length - (double)right.text.length;
    }
    return (order == 0 && (is(how, "=") || is(how, "<=") || is(how, ">="))) ||
           (order < 0 && (is(how, "<") || is(how, "<=") || is(how, "<>"))) ||
           (order > 0 && (is(how, ">") || is(how, ">=") || is(how, "<>")));
}

static bool primary(struct expression *in) {
    bool found;
    if (next_is(in, "NOT")) return !primary(in);
    if (next_is(in, "(")) {
        found = condition(in);
        next_is(in, ")");
        return found;
    }
    bool absent = is_word(peek(in), "attribute_not_exists");
    if (absent || is_word(peek(in), "attribute_exists")) {
        next(in);
        next_is(in, "(");
        found = *attribute(in->item, name(in, next(in)))->type;
        next_is(in, ")");
        return found != absent;
    }
    struct value left = operand(in);
    if (next_is(in, "IS")) {
        bool not = next_is(in, "NOT");
        if (!next_is(in, "MISSING")) next_is(in, "NULL");
        return !*left.type != not;
    }
    struct text how = next(in);
    return compare(left, how, operand(in));
}

static bool conjunction(struct expression *in) {
    bool holds = primary(in);
    while (next_is(in, "AND")) holds &= primary(in);
    return holds;
}

bool condition(struct expression *in) {
    bool holds = conjunction(in);
    while (next_is(in, "OR")) holds |= conjunction(in);
    return holds;
}

void update(struct expression *in, struct changes *changes) {
    bool sets = true;
    changes->count = 0;
    for (;;) {
        if (next_is(in, "SET"))
            sets = true;
        else if (next_is(in, "REMOVE"))
            sets = false;
        else if (changes->count && !next_is(in, ","))
            return;
        if (changes->count == MOST) fail("an item has too many attributes");
        struct change *change = &changes->all[changes->count++];
        change->name = name(in, next(in));
        change->value = missing;
        if (!sets) continue;
        next_is(in, "=");
        change->value = operand(in);
    }
}
