/*
 * server/command.h - what is behind a command of sockjs.h: for those who would not read its JSON a
 * second time, the server's own commands and the broker's.
 */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sockjs.h"

/* The object that is its body; as long as the command, and only to be read. */
const json_t *command_arguments(const struct sockjs_command *c);
/* Whether it has no members but these (up to a NULL), `endpoint` and `idempotency_key`. If not, it
 * is refused, and the command is over; so it is with all that follow, when they say false. */
bool command_has_only(struct sockjs_command *c, const char *const *names);
/* A string; absent: NULL, and refused if it is needed. */
bool command_string(struct sockjs_command *c, const char *name, bool is_needed, const char **out);
/* Whether its `endpoint` is there, if it names one. */
bool command_endpoint_exists(struct sockjs_command *c);
/* A whole number; absent: *out stays. */
bool command_integer(
    struct sockjs_command *c, const char *name, int64_t least, int64_t most, int64_t *out);
/* The same of code and reason of a close: 1000 or 3000 to 4999, at most 123 octets. */
bool command_close(struct sockjs_command *c, int64_t *code, const char **reason);
/* Adds octets to an object: as `body` if they are text without a NUL, which not all that read JSON
 * can take, else as `body_base64`. 0 or -1: memory is out. */
int command_set_body(json_t *object, const char *p, size_t n);
/* 400 "wrong_argument" about a member, with a sentence. */
void command_refuse_argument(struct sockjs_command *c, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 503 "no_memory". */
void command_no_memory(struct sockjs_command *c);
/* 200 with this; takes the reference, which may be NULL (then memory is out). */
void command_answer(struct sockjs_command *c, json_t *answer);

#endif
