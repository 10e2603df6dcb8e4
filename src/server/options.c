/*
 * server/options.c - sets of options: text into the field that a row of the
 * table names, and back; see options.h. The rows are in options_table.c.
 *
 * Owns: the strings and lists inside a struct sockjs_options.
 */
#include "server/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/json_text.h"

#define SHOWN_VALUE         80   /* octets of a wrong value that an error repeats */
#define ALLOWED_ORIGINS_MAX 8000 /* octets of all together */

/* --- fields ----------------------------------------------------------------------------------- */

static void *field(struct sockjs_options *o, const struct option *opt)
{
	static const size_t scopes[] = {
		[OPTION_SERVER] = offsetof(struct sockjs_options, server),
		[OPTION_LISTENER] = offsetof(struct sockjs_options, listener),
		[OPTION_ENDPOINT] = offsetof(struct sockjs_options, endpoint),
		[OPTION_UPSTREAM] = offsetof(struct sockjs_options, upstream),
		[OPTION_STOMP] = offsetof(struct sockjs_options, stomp),
		[OPTION_HOOKS] = offsetof(struct sockjs_options, hooks),
	};

	return (char *)o + scopes[opt->scope] + opt->offset;
}

static const void *const_field(const struct sockjs_options *o, const struct option *opt)
{
	return field((struct sockjs_options *)(uintptr_t)o, opt);
}

const struct string_list *options_list(const struct sockjs_options *o, const struct option *opt)
{
	return const_field(o, opt);
}

const uint64_t *options_pair(const struct sockjs_options *o, const struct option *opt)
{
	return const_field(o, opt);
}

/* Whether its field is a char *. */
static bool is_text(const struct option *opt)
{
	return opt->type == OPTION_STRING || opt->type == OPTION_JSON;
}

static void list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mem_free(list->items[i]);
	mem_free(list->items);
	*list = (struct string_list){ 0 };
}

static int list_dup(struct string_list *out, const char *const *items, size_t count)
{
	struct string_list list = { 0 };

	if (count > 0 && !(list.items = mem_alloc(count * sizeof(*list.items))))
		return -ENOMEM;
	for (; list.count < count; list.count++) {
		if (!(list.items[list.count] = mem_strdup(items[list.count]))) {
			list_free(&list);
			return -ENOMEM;
		}
	}
	*out = list;
	return 0;
}

static void field_free(struct sockjs_options *o, const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		list_free(field(o, opt));
	} else if (is_text(opt)) {
		char **s = field(o, opt);

		mem_free(*s);
		*s = NULL;
	}
}

static bool *mark(struct sockjs_options *o, const struct option *opt)
{
	size_t count;

	return &o->is_set[opt - options_table(&count)];
}

static bool is_marked(const struct sockjs_options *o, const struct option *opt)
{
	return *mark((struct sockjs_options *)(uintptr_t)o, opt);
}

/* The row after `opt`, NULL after the last; the first for NULL. */
static const struct option *next_option(const struct option *opt)
{
	size_t count;
	const struct option *table = options_table(&count);

	if (!opt)
		return table;
	return opt + 1 < table + count ? opt + 1 : NULL;
}

#define table_foreach(opt) for ((opt) = next_option(NULL); (opt); (opt) = next_option(opt))

/* --- setting ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int fail(
    struct sockjs_options *o, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return err;
}

static int out_of_memory(struct sockjs_options *o)
{
	return fail(o, -ENOMEM, "out of memory");
}

/* "KEY: VALUE COMPLAINT; allowed: ..."; a number stands without quotes. */
static int refuse(struct sockjs_options *o, const struct option *opt, int err, const char *value,
    const char *complaint)
{
	const char *quote = opt->type == OPTION_INT && err == -ERANGE ? "" : "\"";
	char allowed[320];

	options_describe(opt, allowed, sizeof(allowed));
	return fail(o, err, "%s: %s%.*s%s %s; allowed: %s", opt->key, quote, SHOWN_VALUE, value,
	    quote, complaint, allowed);
}

static bool is_whole_number(const char *value)
{
	const char *digits = value + (*value == '-');

	return *digits != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

/* Of a whole number. 0, or -ERANGE: no uint64_t. */
static int parse_number(const char *value, uint64_t *n)
{
	errno = 0;
	*n = strtoull(value, NULL, 10);
	return *value == '-' || errno == ERANGE ? -ERANGE : 0;
}

static int set_int(struct sockjs_options *o, const struct option *opt, const char *value)
{
	uint64_t n;

	if (!is_whole_number(value))
		return refuse(o, opt, -EINVAL, value, "is not a whole number");
	if (parse_number(value, &n) < 0 || n < opt->min || n > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)field(o, opt) = n;
	return 0;
}

static int set_null(struct sockjs_options *o, const struct option *opt)
{
	if (!options_nullable(opt))
		return fail(o, -EINVAL, "%s: null is not allowed", opt->key);
	field_free(o, opt);
	if (opt->type == OPTION_MODE)
		*(uint64_t *)field(o, opt) = 0;
	return 0;
}

static int set_mode(struct sockjs_options *o, const struct option *opt, const char *value)
{
	uint64_t mode;

	if (*value == '\0' || strlen(value) > 4 || value[strspn(value, "01234567")] != '\0')
		return refuse(o, opt, -EINVAL, value, "is not an octal file mode");
	mode = strtoul(value, NULL, 8);
	if (mode < opt->min || mode > opt->max)
		return refuse(o, opt, -ERANGE, value, "is out of range");
	*(uint64_t *)field(o, opt) = mode;
	return 0;
}

static int set_bool(struct sockjs_options *o, const struct option *opt, const char *value)
{
	bool yes = strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "false") != 0)
		return refuse(o, opt, -EINVAL, value, "is not a truth value");
	*(bool *)field(o, opt) = yes;
	return 0;
}

static bool word_in(const char *words, const char *word)
{
	size_t n = strlen(word);

	if (strchr(word, ' '))
		return false;
	for (const char *p = words; (p = strstr(p, word)) != NULL; p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static bool acceptable(const struct option *opt, const char *item)
{
	if (*item == '\0')
		return false;
	if (opt->valid)
		return opt->valid(item);
	return !opt->allowed || word_in(opt->allowed, item);
}

static int keep_text(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char **s = field(o, opt), *copy = mem_strdup(value);

	if (!copy)
		return out_of_memory(o);
	mem_free(*s);
	*s = copy;
	return 0;
}

static int set_string(struct sockjs_options *o, const struct option *opt, const char *value)
{
	if (!acceptable(opt, value))
		return refuse(o, opt, -EINVAL, value, "is not allowed");
	return keep_text(o, opt, value);
}

/* The value is not repeated: there may be secrets in it. */
static int set_json(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char why[200], allowed[320];
	bool is_null = false;
	int err = json_text_check(value, &is_null, why, sizeof(why));

	if (err == -ENOMEM)
		return out_of_memory(o);
	if (is_null)
		return set_null(o, opt);
	if (err == 0)
		return keep_text(o, opt, value);
	options_describe(opt, allowed, sizeof(allowed));
	return fail(o, err,
	    "%s: this is not JSON (%s), in which a string stands in quotes; "
	    "allowed: %s",
	    opt->key, why, allowed);
}

/* 0 is nothing, whatever the range. */
static int set_pair_item(
    struct sockjs_options *o, const struct option *opt, size_t i, const char *item, uint64_t *n)
{
	char allowed[100];
	bool is_number = is_whole_number(item);

	if (is_number && parse_number(item, n) == 0 &&
	    (*n == 0 || (*n >= opt->min && *n <= opt->max)))
		return 0;
	options_describe_item(opt, allowed, sizeof(allowed));
	if (is_number)
		return fail(o, -ERANGE, "%s[%zu]: %.*s is out of range; allowed: %s", opt->key, i,
		    SHOWN_VALUE, item, allowed);
	return fail(o, -EINVAL, "%s[%zu]: \"%.*s\" is not a whole number; allowed: %s", opt->key, i,
	    SHOWN_VALUE, item, allowed);
}

static int set_pair(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	uint64_t n[2];
	char allowed[200];
	int err = 0;

	if (count != 2) {
		options_describe(opt, allowed, sizeof(allowed));
		return fail(o, -ERANGE, "%s: a list of %zu is not a pair; allowed: %s", opt->key,
		    count, allowed);
	}
	for (size_t i = 0; i < 2 && err == 0; i++)
		err = set_pair_item(o, opt, i, items[i], &n[i]);
	if (err == 0)
		memcpy(field(o, opt), n, sizeof(n));
	return err;
}

static int refuse_item(struct sockjs_options *o, const struct option *opt, size_t i,
    const char *item, const char *complaint)
{
	return fail(o, -EINVAL, "%s[%zu]: \"%.*s\" %s; allowed: %s", opt->key, i, SHOWN_VALUE, item,
	    complaint, opt->allowed);
}

static bool is_repeated(const char *const *items, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(items[i], items[j]) == 0)
			return true;
	return false;
}

static int set_list(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	struct string_list list;

	if (count < opt->min || count > opt->max)
		return fail(o, -ERANGE,
		    "%s: a list of %zu is out of range; allowed: %" PRIu64 " to %" PRIu64 " items",
		    opt->key, count, opt->min, opt->max);
	for (size_t i = 0; i < count; i++) {
		if (!acceptable(opt, items[i]))
			return refuse_item(o, opt, i, items[i], "is not allowed");
		if (is_repeated(items, i))
			return refuse_item(o, opt, i, items[i], "is there twice");
	}
	if (list_dup(&list, items, count) < 0)
		return out_of_memory(o);
	list_free(field(o, opt));
	*(struct string_list *)field(o, opt) = list;
	return 0;
}

int options_set_list(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count)
{
	int err = (opt->type == OPTION_PAIR ? set_pair : set_list)(o, opt, items, count);

	if (err == 0)
		*mark(o, opt) = true;
	return err;
}

/* Cuts `text` at its commas in place; blanks around an item do not count. Returns how many. */
static size_t split(char *text, const char **items)
{
	size_t count = 0;
	char *item, *rest = text;

	if (text[strspn(text, " ")] == '\0')
		return 0;
	while ((item = strsep(&rest, ",")) != NULL) {
		size_t n;

		item += strspn(item, " ");
		for (n = strlen(item); n > 0 && item[n - 1] == ' '; n--)
			item[n - 1] = '\0';
		items[count++] = item;
	}
	return count;
}

static int set_list_text(struct sockjs_options *o, const struct option *opt, const char *value)
{
	char *text = mem_strdup(value);
	const char **items = mem_alloc((strlen(value) + 1) * sizeof(*items));
	int err = -ENOMEM;

	if (text && items)
		err = options_set_list(o, opt, items, split(text, items));
	else
		out_of_memory(o);
	mem_free(text);
	mem_free(items);
	return err;
}

int options_set(struct sockjs_options *o, const struct option *opt, const char *value)
{
	static int (*const setters[])(
	    struct sockjs_options *, const struct option *, const char *) = {
		[OPTION_BOOL] = set_bool,
		[OPTION_INT] = set_int,
		[OPTION_STRING] = set_string,
		[OPTION_LIST] = set_list_text,
		[OPTION_MODE] = set_mode,
		[OPTION_PAIR] = set_list_text,
		[OPTION_JSON] = set_json,
	};
	int err;

	o->error[0] = '\0';
	err = value ? setters[opt->type](o, opt, value) : set_null(o, opt);
	if (err == 0)
		*mark(o, opt) = true;
	return err;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int get_list(const struct string_list *list, char *text, size_t size)
{
	size_t len = 0;

	if (size > 0)
		text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		len += (size_t)snprintf(text + (len < size ? len : size),
		    len < size ? size - len : 0, "%s%s", i ? "," : "", list->items[i]);
	return (int)len;
}

int options_get(const struct sockjs_options *o, const struct option *opt, char *text, size_t size)
{
	const void *f = const_field(o, opt);

	switch (opt->type) {
	case OPTION_BOOL:
		return snprintf(text, size, "%s", *(const bool *)f ? "true" : "false");
	case OPTION_INT:
		return snprintf(text, size, "%" PRIu64, *(const uint64_t *)f);
	case OPTION_MODE:
		return *(const uint64_t *)f
		           ? snprintf(text, size, "%04" PRIo64, *(const uint64_t *)f)
		           : -1;
	case OPTION_PAIR:
		return snprintf(text, size, "%" PRIu64 ",%" PRIu64, ((const uint64_t *)f)[0],
		    ((const uint64_t *)f)[1]);
	case OPTION_LIST:
		return get_list(f, text, size);
	case OPTION_STRING:
	case OPTION_JSON:
		break;
	}
	return *(char *const *)f ? snprintf(text, size, "%s", *(char *const *)f) : -1;
}

/* --- whole sets ------------------------------------------------------------------------------- */

int options_init(struct sockjs_options *o)
{
	const struct option *opt;

	memset(o, 0, sizeof(*o));
	table_foreach (opt) {
		if (opt->default_value && options_set(o, opt, opt->default_value) < 0) {
			options_fini(o);
			return -ENOMEM;
		}
	}
	memset(o->is_set, 0, sizeof(o->is_set));
	return 0;
}

void options_fini(struct sockjs_options *o)
{
	const struct option *opt;

	table_foreach (opt)
		field_free(o, opt);
}

/* Points the strings and lists of `to` at copies of their own; on failure none is left. */
static int dup_field(
    struct sockjs_options *to, const struct sockjs_options *from, const struct option *opt)
{
	if (opt->type == OPTION_LIST) {
		const struct string_list *list = const_field(from, opt);

		return list_dup(field(to, opt), (const char *const *)list->items, list->count);
	}
	if (is_text(opt)) {
		const char *s = *(char *const *)const_field(from, opt);

		if (s && !(*(char **)field(to, opt) = mem_strdup(s)))
			return -ENOMEM;
	} else if (opt->type == OPTION_BOOL) {
		*(bool *)field(to, opt) = *(const bool *)const_field(from, opt);
	} else if (opt->type == OPTION_PAIR) {
		memcpy(field(to, opt), const_field(from, opt), 2 * sizeof(uint64_t));
	} else {
		*(uint64_t *)field(to, opt) = *(const uint64_t *)const_field(from, opt);
	}
	return 0;
}

int options_copy(struct sockjs_options *to, const struct sockjs_options *from)
{
	const struct option *opt;

	memset(to, 0, sizeof(*to));
	table_foreach (opt) {
		if (dup_field(to, from, opt) < 0) {
			options_fini(to);
			return -ENOMEM;
		}
	}
	memcpy(to->is_set, from->is_set, sizeof(to->is_set));
	return 0;
}

int options_overlay(
    struct sockjs_options *to, const struct sockjs_options *from, enum option_scope scope)
{
	const struct option *opt;

	table_foreach (opt) {
		if (opt->scope != scope || !is_marked(from, opt))
			continue;
		field_free(to, opt);
		if (dup_field(to, from, opt) < 0)
			return -ENOMEM;
		*mark(to, opt) = true;
	}
	return 0;
}

const struct option *options_stray(const struct sockjs_options *o, unsigned scopes)
{
	const struct option *opt;

	table_foreach (opt)
		if (is_marked(o, opt) && !(scopes >> opt->scope & 1))
			return opt;
	return NULL;
}

void options_taken(struct sockjs_options *o, enum option_scope scope)
{
	const struct option *opt;

	table_foreach (opt)
		if (opt->scope == scope)
			*mark(o, opt) = false;
}

static int check_listener(struct sockjs_options *o)
{
	const struct listener_options *l = &o->listener;
	bool stomp = strcmp(l->protocol, "stomp") == 0;

	if (stomp && !l->endpoint)
		return fail(o, -EINVAL,
		    "endpoint: missing; with protocol \"stomp\" it is the prefix of the endpoint "
		    "that serves this address");
	if (l->endpoint && !stomp)
		return fail(o, -EINVAL,
		    "endpoint: means nothing with protocol \"%s\"; it is for \"stomp\"",
		    l->protocol);
	if (l->tls_certificate && !l->tls_key)
		return fail(o, -EINVAL, "tls.key: missing; tls.certificate needs its private key");
	if (l->tls_key && !l->tls_certificate)
		return fail(o, -EINVAL, "tls.certificate: missing; tls.key needs its certificate");
	return 0;
}

/* The line that says who may frame the iframe page has to fit into a response. */
static int check_ancestors(struct sockjs_options *o)
{
	const struct string_list *list = &o->endpoint.allowed_origins;
	size_t n = 0;

	for (size_t i = 0; i < list->count; i++)
		n += strlen(list->items[i]) + 1;
	if (n <= ALLOWED_ORIGINS_MAX)
		return 0;
	return fail(o, -EINVAL,
	    "allowed_origins: %zu octets in all are too many for the Content-Security-Policy of "
	    "the "
	    "iframe page; allowed: %d (scheme://*.domain stands for many)",
	    n, ALLOWED_ORIGINS_MAX);
}

static int check_cookie(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;

	if (strcmp(e->session_cookie_same_site, "none") == 0 &&
	    strcmp(e->session_cookie_secure, "false") == 0)
		return fail(o, -EINVAL,
		    "session_cookie_same_site: \"none\" needs session_cookie_secure; without it "
		    "browsers refuse the cookie");
	return 0;
}

static int check_server(struct sockjs_options *o)
{
	if (o->server.token && o->server.token_file)
		return fail(o, -EINVAL,
		    "internal.token_file: means nothing with internal.token, which is the token");
	return 0;
}

/* What one transport can carry the others must carry too, or an application would see the
 * transport. */
static int check_endpoint(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;

	if (e->max_body_bytes < e->max_message_bytes)
		return fail(o, -EINVAL,
		    "max_body_bytes: %" PRIu64 " is less than max_message_bytes (%" PRIu64
		    "): such a message could come by WebSocket, but by no other transport",
		    e->max_body_bytes, e->max_message_bytes);
	for (size_t i = 0; i < e->allowed_origins.count && e->allowed_origins.count > 1; i++)
		if (strcmp(e->allowed_origins.items[i], "*") == 0)
			return fail(o, -EINVAL,
			    "allowed_origins[%zu]: \"*\" allows every origin; it must stand alone",
			    i);
	return check_ancestors(o) < 0 ? -EINVAL : check_cookie(o);
}

static int check_upstream(struct sockjs_options *o)
{
	const struct upstream_options *u = &o->upstream;

	if (u->url.count == 0)
		return fail(o, -EINVAL, "upstream.url: missing; allowed: %s, or a list of them",
		    options_find("upstream.url")->allowed);
	if (!u->tls_certificate != !u->tls_key)
		return fail(o, -EINVAL, "upstream.tls.%s: missing; certificate and key go together",
		    u->tls_key ? "certificate" : "key");
	if (u->retry_delay_max_ms < u->retry_delay_ms)
		return fail(o, -EINVAL,
		    "upstream.retry_delay_max_ms: %" PRIu64 " is less than retry_delay_ms (%" PRIu64
		    ")",
		    u->retry_delay_max_ms, u->retry_delay_ms);
	return 0;
}

/* Who may come, and whether anybody can. */
static int check_stomp_users(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;

	if (s->token_query && !s->tokens)
		return fail(o, -EINVAL,
		    "stomp.token_query: means nothing without stomp.tokens, which says what "
		    "a token must be");
	return 0;
}

static int check_stomp(struct sockjs_options *o)
{
	const struct stomp_options *s = &o->stomp;

	if (s->max_head_bytes < s->max_line_bytes)
		return fail(o, -EINVAL,
		    "stomp.max_head_bytes: %" PRIu64 " is less than max_line_bytes (%" PRIu64
		    "): the head is all lines together",
		    s->max_head_bytes, s->max_line_bytes);
	return check_stomp_users(o);
}

static int check_hooks(struct sockjs_options *o)
{
	const struct hooks_options *h = &o->hooks;

	if (!h->url && (h->events.count || h->destinations.count || h->secret || h->secret_file))
		return fail(o, -EINVAL, "hooks.url: missing; allowed: %s",
		    options_find("hooks.url")->allowed);
	if (h->secret && h->secret_file)
		return fail(o, -EINVAL,
		    "hooks.secret_file: means nothing with hooks.secret, which is the secret");
	return 0;
}

int options_check(struct sockjs_options *o, enum option_scope scope)
{
	static int (*const checks[])(struct sockjs_options *) = {
		[OPTION_SERVER] = check_server,
		[OPTION_LISTENER] = check_listener,
		[OPTION_ENDPOINT] = check_endpoint,
		[OPTION_UPSTREAM] = check_upstream,
		[OPTION_STOMP] = check_stomp,
		[OPTION_HOOKS] = check_hooks,
	};

	o->error[0] = '\0';
	return checks[scope] ? checks[scope](o) : 0;
}

/* --- the public face (sockjs.h) --------------------------------------------------------------- */

struct sockjs_options *sockjs_options_new(void)
{
	struct sockjs_options *o = mem_alloc(sizeof(*o));

	if (o && options_init(o) < 0) {
		mem_free(o);
		return NULL;
	}
	return o;
}

void sockjs_options_free(struct sockjs_options *o)
{
	if (!o)
		return;
	options_fini(o);
	mem_free(o);
}

int sockjs_options_set(struct sockjs_options *o, const char *key, const char *value)
{
	const struct option *opt = options_find(key);

	if (!opt)
		return fail(o, -ENOENT, "%.*s: no such option", SHOWN_VALUE, key);
	return options_set(o, opt, value);
}

const char *sockjs_options_error(const struct sockjs_options *o)
{
	return o->error;
}
