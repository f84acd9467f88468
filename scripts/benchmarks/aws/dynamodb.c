/* Tables of DynamoDB with the key Id (S), Type (S): items, expressions, and PartiQL in batches. */
#define _GNU_SOURCE
#include "dynamodb.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct item *items[1 << 16];

static struct item **place_of(struct text id, struct text kind) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < id.length; i++) hash = (hash ^ (unsigned char)id.at[i]) * 16777619u;
    for (size_t i = 0; i < kind.length; i++) hash = (hash ^ (unsigned char)kind.at[i]) * 16777619u;
    struct item **one = &items[(hash ^ hash >> 16) & 0xffff];
    while (*one && !(is(id, (*one)->id) && is(kind, (*one)->kind))) one = &(*one)->next;
    return one;
}

/* For a key of the API, {"Id": {"S": ...}, "Type": {"S": ...}}, or a whole item. */
static struct item **place_in(struct json *key) {
    return place_of(value_of(field(key, "Id")).text, value_of(field(key, "Type")).text);
}

static const struct item *at(struct item **place) {
    static const struct item none;
    return *place ? *place : &none;
}

static void drop(struct item *item, int index) {
    free((char *)item->attributes[index].value.text.at);
    item->attributes[index] = item->attributes[--item->count];
}

static void set(struct item *item, struct text name, struct value value) {
    int i = 0;
    char *copy = *value.type ? copy_of(value.text) : NULL; /* It may be the attribute that is dropped. */
    while (i < item->count && !is(name, item->attributes[i].name)) i++;
    if (i < item->count) drop(item, i);
    if (!copy) return;
    if (item->count == MOST) fail("an item has too many attributes");
    value.text.at = copy;
    snprintf(item->attributes[item->count].name, sizeof item->attributes[0].name, "%.*s", TEXT(name));
    item->attributes[item->count++].value = value;
}

static struct item *create(struct item **place, struct text id, struct text kind) {
    struct item *item = *place = calloc(1, sizeof *item);
    if (!item) fail("calloc");
    item->id = copy_of(id);
    item->kind = copy_of(kind);
    set(item, (struct text){"Id", 2}, (struct value){"S", id});
    set(item, (struct text){"Type", 4}, (struct value){"S", kind});
    return item;
}

static void destroy(struct item **place) {
    struct item *item = *place;
    if (!item) return;
    *place = item->next;
    while (item->count) drop(item, 0);
    free(item->id);
    free(item->kind);
    free(item);
}

static void say_item(struct out *out, const struct item *item) {
    say(out, "{");
    for (int i = 0; i < item->count; i++) {
        say(out, "%s\"%s\":{\"%s\":\"", i ? "," : "", item->attributes[i].name, item->attributes[i].value.type);
        put(out, item->attributes[i].value.text);
        say(out, "\"}");
    }
    say(out, "}");
}

static void say_changed(struct out *out, const struct changes *changes) {
    const char *comma = "";
    say(out, "{\"Attributes\":{");
    for (int i = 0; i < changes->count; i++) {
        const struct change *one = &changes->all[i];
        if (!*one->value.type) continue;
        say(out, "%s\"%.*s\":{\"%s\":\"%.*s\"}", comma, TEXT(one->name), one->value.type, TEXT(one->value.text));
        comma = ",";
    }
    say(out, "}}");
}

static void apply(struct item *item, const struct changes *changes) {
    for (int i = 0; i < changes->count; i++) set(item, changes->all[i].name, changes->all[i].value);
}

/* Whether the request's condition holds; if not, that is said. */
static bool is_held(struct connection *connection, struct item **place, struct json *request) {
    struct text text = field_text(request, "ConditionExpression");
    struct expression in = {.at = text.at, .item = at(place)};
    in.names = field(request, "ExpressionAttributeNames");
    in.values = field(request, "ExpressionAttributeValues");
    if (!text.length || condition(&in)) return true;
    connection->status = 400;
    say(&connection->out, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
                          "\"message\":\"The conditional request failed\"");
    if (*place && is(field_text(request, "ReturnValuesOnConditionCheckFailure"), "ALL_OLD")) {
        say(&connection->out, ",\"Item\":");
        say_item(&connection->out, *place);
    }
    say(&connection->out, "}");
    return false;
}

static void update_item(struct connection *connection, struct json *request) {
    struct json *key = field(request, "Key");
    struct item **place = place_in(key);
    if (!is_held(connection, place, request)) return;
    struct expression in = {.at = field_text(request, "UpdateExpression").at, .item = at(place)};
    in.names = field(request, "ExpressionAttributeNames");
    in.values = field(request, "ExpressionAttributeValues");
    struct changes changes;
    update(&in, &changes);
    if (is(field_text(request, "ReturnValues"), "UPDATED_NEW"))
        say_changed(&connection->out, &changes);
    else
        say(&connection->out, "{}");
    if (!*place) create(place, value_of(field(key, "Id")).text, value_of(field(key, "Type")).text);
    apply(*place, &changes);
}

/* One of a batch's statements. Returns the code of its error, NULL for none. *place: the item's. */
static const char *execute(struct expression *in, struct item ***place) {
    struct text id = {"", 0}, kind = {"", 0};
    struct changes changes = {.count = 0};
    if (next_is(in, "INSERT")) {
        next_is(in, "INTO");
        next(in);
        next_is(in, "VALUE");
        next_is(in, "{");
        while (!next_is(in, "}") && *in->at) {
            struct change *change = &changes.all[changes.count++];
            change->name = name(in, next(in));
            next_is(in, ":");
            change->value = operand(in);
            if (is(change->name, "Id")) id = change->value.text;
            if (is(change->name, "Type")) kind = change->value.text;
            next_is(in, ",");
            if (changes.count == MOST) fail("an item has too many attributes");
        }
        *place = place_of(id, kind);
        if (!id.length || !kind.length) return "ValidationError";
        if (**place) return "DuplicateItem";
        apply(create(*place, id, kind), &changes);
        return NULL;
    }
    /* The key stands at the end, behind what may need the item: find it first. */
    struct expression first = *in;
    while (*first.at && !next_is(&first, "WHERE"))
        if (is(next(&first), "?")) first.parameters = first.parameters ? first.parameters->next : NULL;
    struct expression where = first;
    while (*first.at && peek(&first).length) {
        struct text token = name(&first, next(&first));
        if (is(token, "?")) first.parameters = first.parameters ? first.parameters->next : NULL;
        if ((is(token, "Id") || is(token, "Type")) && next_is(&first, "="))
            *(is(token, "Id") ? &id : &kind) = operand(&first).text;
    }
    *place = place_of(id, kind);
    where.item = in->item = at(*place);
    if (!**place || !condition(&where)) return "ConditionalCheckFailed";
    if (next_is(in, "DELETE")) {
        destroy(*place);
        return NULL;
    }
    next_is(in, "UPDATE");
    next(in);
    update(in, &changes);
    apply(**place, &changes);
    return NULL;
}

/* A string of JSON without its escapes, as far as statements have them. */
static void unescape(struct text text, char *to, size_t size) {
    size_t length = 0;
    for (size_t i = 0; i < text.length && length + 1 < size; i++) {
        if (text.at[i] == '\\' && i + 1 < text.length) i++;
        to[length++] = text.at[i];
    }
    to[length] = 0;
}

static void batch_execute(struct out *out, struct json *request) {
    const char *comma = "";
    say(out, "{\"Responses\":[");
    for (struct json *one = field(request, "Statements")->first; one; one = one->next, comma = ",") {
        char statement[4096];
        unescape(field_text(one, "Statement"), statement, sizeof statement);
        struct json *parameters = field(one, "Parameters");
        struct expression in = {.at = statement, .parameters = parameters ? parameters->first : NULL};
        struct item **place;
        const char *error = execute(&in, &place);
        say(out, "%s{\"TableName\":\"sqsjkr\"", comma);
        if (error) {
            say(out, ",\"Error\":{\"Code\":\"%s\",\"Message\":\"The conditional request failed\"", error);
            if (*place && is(field_text(one, "ReturnValuesOnConditionCheckFailure"), "ALL_OLD")) {
                say(out, ",\"Item\":");
                say_item(out, *place);
            }
            say(out, "}");
        }
        say(out, "}");
    }
    say(out, "]}");
}

void dynamodb(struct connection *connection, struct text action, struct json *request) {
    struct out *out = &connection->out;
    if (is(action, "UpdateItem")) {
        update_item(connection, request);
    } else if (is(action, "BatchExecuteStatement")) {
        batch_execute(out, request);
    } else if (is(action, "GetItem")) {
        struct item **place = place_in(field(request, "Key"));
        say(out, *place ? "{\"Item\":" : "{}");
        if (!*place) return;
        say_item(out, *place);
        say(out, "}");
    } else if (is(action, "DeleteItem")) {
        struct item **place = place_in(field(request, "Key"));
        if (!is_held(connection, place, request)) return;
        destroy(place);
        say(out, "{}");
    } else if (is(action, "DescribeTable")) { /* sqsjkr asks for it. */
        say(out, "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"ProvisionedThroughput\":{\"WriteCapacityUnits\":100}}}");
    } else {
        connection->status = 400;
        say(out, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ValidationException\",\"message\":\"%.*s\"}", TEXT(action));
    }
}
