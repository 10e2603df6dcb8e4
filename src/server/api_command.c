/*
 * server/api_command.c - a command under way: its arguments, and its answer (include/sockjs.h,
 * command.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "server/api.h"
#include "server/json_text.h"

#define REASON_MAX 123 /* octets: a Close frame has room for no more */

/* --- JSON as text ------------------------------------------------------------- */

char *api_dump(json_t *value, size_t *n)
{
	struct buf out = BUF_INIT;
	char *text = NULL;

	if (value && json_text_dump(value, JSON_COMPACT, &out) == 0 &&
	    buf_add(&out, "\n", 1) == 0) {
		*n = buf_len(&out);
		text = mem_strndup(buf_data(&out), *n);
	}
	buf_fini(&out);
	json_decref(value);
	return text;
}

json_t *api_error(const char *code, const char *field, const char *message)
{
	return json_pack(
	    "{s:{s:s,s:s,s:s*}}", "error", "code", code, "message", message, "field", field);
}

/* --- life ------------------------------------------------------------------------ */

static void on_nothing(struct stream *s)
{
	(void)s;
}

/* The asker left before the answer: it is written to nobody. */
static void on_hangup(struct stream *s, int err)
{
	(void)s, (void)err;
}

const struct stream_events api_command_events = {
	.readable = on_nothing,
	.writable = on_nothing,
	.hangup = on_hangup,
};

void api_command_begin(struct sockjs_command *c)
{
	list_append(&c->api->commands, &c->node);
	c->api->count++;
	c->api->bytes += c->body_len;
}

void api_command_free(struct sockjs_command *c)
{
	list_remove(&c->node);
	c->api->count--;
	c->api->bytes -= c->body_len;
	message_unref(c->message);
	if (c->endpoint)
		endpoint_release(c->endpoint);
	json_decref(c->arguments);
	json_decref(c->found);
	buf_fini(&c->text);
	mem_free(c->answer);
	http_access_free(c->access);
	mem_free(c);
}

struct sockjs_command *api_command_apart(struct api *api, const char *name, json_t *arguments,
    void (*answered)(struct sockjs_command *c), void *apart)
{
	struct sockjs_command *c = arguments ? mem_zalloc(sizeof(*c)) : NULL;

	if (!c) {
		json_decref(arguments);
		return NULL;
	}
	stream_init_empty(&c->stream);
	c->api = api;
	c->name = name;
	c->arguments = arguments;
	c->answered = answered;
	c->apart = apart;
	api_command_begin(c);
	return c;
}

/* --- answers ------------------------------------------------------------------------ */

static void on_answer(struct mail *mail, struct loop *loop)
{
	struct sockjs_command *c = container_of(mail, struct sockjs_command, mail);

	(void)loop;
	c->answered(c);
}

/* Takes the text, which may be NULL. Not before the next turn, for whoever answers is often still
 * in the midst of it. */
static void answer(struct sockjs_command *c, unsigned status, char *text, size_t n)
{
	struct sockjs_server *server = c->api->server;

	c->status = status >= 200 && status <= 599 ? status : 500;
	c->answer = text;
	c->answer_len = text ? n : 0;
	if (atomic_load(&server->ended))
		api_command_free(c);
	else
		loop_post(server->reactors[0]->loop, &c->mail, on_answer);
}

void sockjs_command_reply(struct sockjs_command *c, unsigned status, const char *json, size_t len)
{
	answer(c, status, mem_strndup(json, len), len);
}

void sockjs_command_refuse(struct sockjs_command *c, unsigned status, const char *code,
    const char *field, const char *sentence)
{
	size_t n = 0;
	char *text = api_dump(api_error(code, field, sentence), &n);

	c->is_no_memory = strcmp(code, "no_memory") == 0;
	answer(c, status, text, n);
}

void command_answer(struct sockjs_command *c, json_t *value)
{
	size_t n = 0;
	char *text = api_dump(value, &n);

	if (text)
		answer(c, 200, text, n);
	else
		command_no_memory(c);
}

static json_t *encode_base64(const char *p, size_t n)
{
	char *text = mem_alloc(BASE64_LEN(n) + 1);
	json_t *value;

	if (!text)
		return NULL;
	base64_encode(text, p, n);
	value = json_stringn(text, BASE64_LEN(n));
	mem_free(text);
	return value;
}

int command_set_body(json_t *object, const char *p, size_t n)
{
	if (n == 0)
		p = "";
	if (utf8_is_valid(p, n) && !memchr(p, '\0', n))
		return json_object_set_new(object, "body", json_stringn(p, n));
	return json_object_set_new(object, "body_base64", encode_base64(p, n));
}

void command_no_memory(struct sockjs_command *c)
{
	sockjs_command_refuse(c, 503, "no_memory", NULL, "Out of memory.");
}

void command_refuse_argument(struct sockjs_command *c, const char *name, const char *format, ...)
{
	char sentence[300];
	int n = snprintf(sentence, sizeof(sentence), "%.60s ", name);
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence + n, sizeof(sentence) - (size_t)n - 1, format, ap);
	va_end(ap);
	strcat(sentence, ".");
	sockjs_command_refuse(c, 400, "wrong_argument", name, sentence);
}

/* --- what was asked ------------------------------------------------------------------- */

const char *sockjs_command_name(const struct sockjs_command *c)
{
	return c->name;
}

const char *sockjs_command_body(struct sockjs_command *c, size_t *len)
{
	if (buf_len(&c->text) == 0 && (json_text_dump(c->arguments, JSON_COMPACT, &c->text) < 0 ||
	                                  buf_add(&c->text, "", 1) < 0)) {
		buf_clear(&c->text);
		return NULL;
	}
	*len = buf_len(&c->text) - 1;
	return buf_data(&c->text);
}

const json_t *command_arguments(const struct sockjs_command *c)
{
	return c->arguments;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names)
		if (strcmp(*names++, name) == 0)
			return true;
	return strcmp(name, "endpoint") == 0 || strcmp(name, "idempotency_key") == 0;
}

bool command_has_only(struct sockjs_command *c, const char *const *names)
{
	const char *name;
	json_t *value;

	json_object_foreach (c->arguments, name, value) {
		if (is_one_of(name, names))
			continue;
		command_refuse_argument(c, name, "is not known here");
		return false;
	}
	return true;
}

bool command_string(struct sockjs_command *c, const char *name, bool is_needed, const char **out)
{
	const json_t *value = json_object_get(c->arguments, name);

	*out = json_string_value(value);
	if (*out || (!value && !is_needed))
		return true;
	command_refuse_argument(c, name, value ? "must be a string" : "is missing");
	return false;
}

bool command_endpoint_exists(struct sockjs_command *c)
{
	const char *prefix;

	if (!command_string(c, "endpoint", false, &prefix))
		return false;
	if (prefix && !c->endpoint)
		sockjs_command_refuse(
		    c, 404, "no_endpoint", "endpoint", "There is no such endpoint.");
	return !prefix || c->endpoint;
}

bool command_integer(
    struct sockjs_command *c, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const json_t *value = json_object_get(c->arguments, name);

	if (value && (!json_is_integer(value) || json_integer_value(value) < least ||
	                 json_integer_value(value) > most)) {
		command_refuse_argument(c, name, "must be a number from %lld to %lld",
		    (long long)least, (long long)most);
		return false;
	}
	if (value)
		*out = json_integer_value(value);
	return true;
}

bool command_close(struct sockjs_command *c, int64_t *code, const char **reason)
{
	if (!command_integer(c, "code", 1000, 4999, code) ||
	    !command_string(c, "reason", false, reason))
		return false;
	if (*code > 1000 && *code < 3000)
		command_refuse_argument(c, "code", "must be 1000, or from 3000 to 4999");
	else if (*reason && strlen(*reason) > REASON_MAX)
		command_refuse_argument(c, "reason", "has at most %d octets", REASON_MAX);
	else
		return true;
	return false;
}
