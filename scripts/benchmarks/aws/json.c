/* Reads JSON into a tree, and writes texts. The clients of a benchmark send what is well-formed. */
#define _GNU_SOURCE
#include "aws.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json pool[1 << 18];
static size_t used;

bool is(struct text text, const char *word) {
    return text.length == strlen(word) && !memcmp(text.at, word, text.length);
}

bool is_word(struct text text, const char *word) {
    return text.length == strlen(word) && !strncasecmp(text.at, word, text.length);
}

char *copy_of(struct text text) {
    char *copy = strndup(text.at, text.length);
    if (!copy) fail("strndup");
    return copy;
}

static const char *skip(const char *at) { return at + strspn(at, " \t\r\n"); }

static struct text string(const char **at) {
    const char *from = ++*at;
    while (**at && **at != '"') *at += **at == '\\' && (*at)[1] ? 2 : 1;
    struct text text = {from, (size_t)(*at - from)};
    *at += **at == '"';
    return text;
}

static struct json *value(const char **at) {
    if (used == sizeof pool / sizeof *pool) fail("a request is too big");
    struct json *made = &pool[used++], **last = &made->first;
    const char *from = *at = skip(*at);
    *made = (struct json){.type = *from};
    if (*from == '"') {
        made->text = string(at);
        return made;
    }
    if (*from != '{' && *from != '[') {
        made->type = 0;
        *at += strcspn(*at, ",]} \t\r\n");
    } else {
        *at = skip(*at + 1);
        while (**at && **at != '}' && **at != ']') {
            struct text key = {NULL, 0};
            if (*from == '{') {
                key = string(at);
                *at = skip(*at) + 1;
            }
            *last = value(at);
            (*last)->key = key;
            last = &(*last)->next;
            *at = skip(*at);
            if (**at == ',') *at = skip(*at + 1);
        }
        *at += **at != 0;
    }
    made->text = (struct text){from, (size_t)(*at - from)};
    return made;
}

struct json *parse(const char *text) {
    used = 0;
    return value(&text);
}

struct json *field(struct json *object, const char *key) {
    for (struct json *one = object ? object->first : NULL; one; one = one->next)
        if (is(one->key, key)) return one;
    return NULL;
}

struct text field_text(struct json *object, const char *key) {
    struct json *found = field(object, key);
    return found ? found->text : (struct text){"", 0};
}

double field_number(struct json *object, const char *key, double otherwise) {
    struct json *found = field(object, key);
    return found ? strtod(found->text.at, NULL) : otherwise;
}

static void make_room(struct out *out, size_t length) {
    if (out->length + length < out->size) return;
    out->size = 2 * (out->length + length) + 1024;
    out->at = realloc(out->at, out->size);
    if (!out->at) fail("realloc");
}

void put(struct out *out, struct text text) {
    make_room(out, text.length);
    memcpy(out->at + out->length, text.at, text.length);
    out->length += text.length;
}

void say(struct out *out, const char *format, ...) {
    char piece[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < (int)sizeof piece) {
        put(out, (struct text){piece, (size_t)length});
        return;
    }
    make_room(out, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(out->at + out->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    out->length += (size_t)length;
}
