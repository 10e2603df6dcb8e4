/*
 * daemon/config_json.c - reads the configuration file; see config.h.
 *
 * Strict: whatever is not understood is an error, never ignored. The keys of an
 * object are a few words of the daemon's own (struct word) and the rows of the
 * option table that belong there; a dot in an option's key is an object in JSON.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/config_error.h"
#include "daemon/config_hint.h"
#include "daemon/config_item.h"
#include "server/json_text.h"

#define MAX_FILE_BYTES (16u << 20)
#define PATH_BYTES     160

struct reader {
	struct config *c;
	const char *name;      /* of the file */
	const char *directory; /* that file names are relative to; NULL: the current one */
	struct sockjs_options *engine; /* for brokers without their own; NULL: there is none */
};

struct word {
	const char *key;
	int (*read)(struct reader *r, const char *path, json_t *value); /* NULL: read elsewhere */
};

/* One JSON object: where it stands and what may be in it. */
struct place {
	const char *path;  /* "", or "endpoints[0]." */
	const char *group; /* "", or "websocket." */
	unsigned scopes;   /* 1 << OPTION_* */
	struct sockjs_options *options;
	const struct word *words; /* up to a NULL key */
	const struct place *also; /* whose options may stand in this object, too; NULL: nobody's */
	bool is_internal;         /* an address for operators: not all options mean something */
};

static int read_members(struct reader *r, const struct place *p, json_t *object);

static bool belongs(const struct option *opt, const struct place *p)
{
	return (p->scopes >> opt->scope & 1) && !(p->is_internal && opt->is_public);
}

/* --- errors ------------------------------------------------------------------------------- */

/* Puts the file and the path before a sentence that says the rest. */
static int refuse(struct reader *r, int err, const char *path, const char *sentence)
{
	char copy[sizeof(r->c->error)];

	snprintf(copy, sizeof(copy), "%s", sentence);
	return config_fail(r->c, err, "%s: %s%s", r->name, path, copy);
}

static const char *kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a long string";
	default:
		return "this";
	}
}

/* The value as it stands in the file if it is short, else in words. */
static const char *show(const json_t *value, char text[CONFIG_SHOWN + 1])
{
	size_t n = json_dumpb(value, text, CONFIG_SHOWN, JSON_ENCODE_ANY | JSON_COMPACT);

	if (n == 0 || n > CONFIG_SHOWN || json_is_object(value))
		return kind(value);
	text[n] = '\0';
	return text;
}

static int wrong_type(
    struct reader *r, const char *path, const char *key, const json_t *value, const char *wanted)
{
	char text[CONFIG_SHOWN + 1];

	return config_fail(
	    r->c, -EINVAL, "%s: %s%s: %s is not %s", r->name, path, key, show(value, text), wanted);
}

static bool begins_with(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

static bool is_word(const struct place *p, const char *key, size_t n)
{
	for (const struct word *w = p->words; w && w->key; w++)
		if (strlen(w->key) == n && strncmp(w->key, key, n) == 0)
			return true;
	return false;
}

/* Adds options that may stand in this object, and each group of them once. */
static size_t list_options(const struct place *p, char *text, size_t size, size_t len)
{
	const struct option *table;
	size_t count, skip = strlen(p->group), last_len = 0;
	const char *last = "";

	table = options_table(&count);
	for (size_t i = 0; i < count && len < size; i++) {
		const char *key = table[i].key + skip;
		size_t n;

		if (!belongs(&table[i], p) || !begins_with(table[i].key, p->group))
			continue;
		n = strcspn(key, ".");
		if ((n == last_len && strncmp(key, last, n) == 0) || is_word(p, key, n))
			continue;
		last = key;
		last_len = n;
		len += (size_t)snprintf(
		    text + len, size - len, "%s%.*s", len ? ", " : "", (int)n, key);
	}
	return len;
}

/* Words, and options. */
static void list_keys(const struct place *p, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (const struct word *w = p->words; w && w->key && len < size; w++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "", w->key);
	len = list_options(p, text, size, len);
	if (p->also)
		list_options(p->also, text, size, len);
}

static int unknown_key(struct reader *r, const struct place *p, const char *key)
{
	char keys[1500], hint[160];

	if (config_hint(p->path, p->group, p->scopes, key, hint, sizeof(hint)))
		return config_fail(r->c, -EINVAL, "%s: %s%s%.*s: unknown key here; %s", r->name,
		    p->path, p->group, CONFIG_SHOWN, key, hint);
	list_keys(p, keys, sizeof(keys));
	return config_fail(r->c, -EINVAL, "%s: %s%s%.*s: unknown key; allowed: %s", r->name,
	    p->path, p->group, CONFIG_SHOWN, key, keys);
}

/* --- options -------------------------------------------------------------------------------- */

/* The i-th of a list: a string, or an object where something may stand behind it, of which `text`
 * is made. */
static int read_item(struct reader *r, const struct place *p, const struct option *opt, size_t i,
    json_t *item, struct buf *text, const char **out)
{
	char index[PATH_BYTES], why[600];
	int err = 0;

	snprintf(index, sizeof(index), "%s[%zu]", opt->key, i);
	*out = json_string_value(item);
	if (*out)
		return 0;
	if (!opt->parts || !json_is_object(item))
		return wrong_type(
		    r, p->path, index, item, opt->parts ? "a string or an object" : "a string");
	err = config_item_read(opt, item, text, why, sizeof(why));
	if (err == -EINVAL)
		config_fail(r->c, err, "%s: %s%s%s", r->name, p->path, index, why);
	else if (err < 0)
		config_no_memory(r->c);
	*out = err == 0 ? buf_data(text) : NULL;
	return err;
}

static int set_list(
    struct reader *r, const struct place *p, const struct option *opt, json_t *array)
{
	size_t count = json_array_size(array), i;
	const char **items = mem_alloc((count + 1) * sizeof(*items));
	struct buf *texts = mem_zalloc((count + 1) * sizeof(*texts));
	json_t *item;
	int err = 0;

	if (!items || !texts)
		err = config_no_memory(r->c);
	json_array_foreach (array, i, item)
		if (err == 0)
			err = read_item(r, p, opt, i, item, &texts[i], &items[i]);
	if (err == 0 && (err = options_set_list(p->options, opt, items, count)) < 0)
		refuse(r, err, p->path, p->options->error);
	for (i = 0; texts && i < count; i++)
		buf_fini(&texts[i]);
	mem_free(texts);
	mem_free(items);
	return err;
}

static int set_text(
    struct reader *r, const struct place *p, const struct option *opt, const char *text)
{
	int err = options_set(p->options, opt, text);

	return err < 0 ? refuse(r, err, p->path, p->options->error) : 0;
}

/* The name of a file, from where the configuration stands: the daemon may be started anywhere. */
static int set_file(
    struct reader *r, const struct place *p, const struct option *opt, const char *name)
{
	size_t n = r->directory ? strlen(r->directory) : 0;
	char *path;
	int err;

	if (n == 0 || *name == '/' || *name == '\0' || strcmp(name, "-") == 0)
		return set_text(r, p, opt, name);
	if (!(path = mem_alloc(n + strlen(name) + 2)))
		return config_no_memory(r->c);
	sprintf(path, "%s/%s", r->directory, name);
	err = set_text(r, p, opt, path);
	mem_free(path);
	return err;
}

/* The numbers of a pair, as text: each is short, or none. */
static int set_pair(
    struct reader *r, const struct place *p, const struct option *opt, json_t *array)
{
	char texts[2][24], index[PATH_BYTES];
	const char *const items[] = { texts[0], texts[1] };
	size_t count = json_array_size(array), i;
	json_t *item;
	int err;

	json_array_foreach (array, i, item) {
		snprintf(index, sizeof(index), "%s[%zu]", opt->key, i);
		if (!json_is_integer(item))
			return wrong_type(r, p->path, index, item, "a whole number");
		if (i < 2)
			snprintf(texts[i], sizeof(texts[i]), "%" JSON_INTEGER_FORMAT,
			    json_integer_value(item));
	}
	err = options_set_list(p->options, opt, items, count);
	return err < 0 ? refuse(r, err, p->path, p->options->error) : 0;
}

/* Makes names of files in an object of a list relative to nothing, as set_file() does. */
static int place_files(struct reader *r, json_t *object)
{
	void *next;
	const char *key;
	json_t *value, *path;

	json_object_foreach_safe(object, next, key, value)
	{
		const char *name = json_string_value(value);

		if (!name || !*name || *name == '/')
			continue;
		path = json_sprintf("%s/%s", r->directory, name);
		if (!path || json_object_set_new(object, key, path) < 0)
			return config_no_memory(r->c);
	}
	return 0;
}

static int place_all_files(struct reader *r, json_t *list)
{
	json_t *object;
	size_t i;
	int err = 0;

	json_array_foreach (list, i, object)
		if (err == 0)
			err = place_files(r, object);
	return err;
}

static int set_json(
    struct reader *r, const struct place *p, const struct option *opt, json_t *value)
{
	struct buf text = BUF_INIT;
	int err = opt->has_files && r->directory ? place_all_files(r, value) : 0;

	if (err < 0)
		return err;
	err = json_text_dump(value, JSON_ENCODE_ANY | JSON_COMPACT, &text);
	if (err < 0 || buf_add(&text, "", 1) < 0)
		err = config_no_memory(r->c);
	else
		err = set_text(r, p, opt, buf_data(&text));
	buf_fini(&text);
	return err;
}

static int set_one(struct reader *r, const struct place *p, const struct option *opt, json_t *value)
{
	json_t *list = json_pack("[O]", value);
	int err = list ? set_list(r, p, opt, list) : config_no_memory(r->c);

	json_decref(list);
	return err;
}

static int set_option(
    struct reader *r, const struct place *p, const struct option *opt, json_t *value)
{
	static const char *const nouns[] = {
		[OPTION_BOOL] = "a truth value",
		[OPTION_INT] = "a whole number",
		[OPTION_STRING] = "a string",
		[OPTION_LIST] = "a list",
		[OPTION_MODE] = "a string",
		[OPTION_PAIR] = "a list",
	};
	char text[32], wanted[400];
	int n;

	if (json_is_null(value) && options_nullable(opt))
		return set_text(r, p, opt, NULL);
	if (opt->type == OPTION_JSON)
		return set_json(r, p, opt, value);
	if (opt->type == OPTION_PAIR && json_is_array(value))
		return set_pair(r, p, opt, value);
	if (opt->type == OPTION_LIST && json_is_array(value))
		return set_list(r, p, opt, value);
	if (opt->or_one && (json_is_string(value) || (opt->parts && json_is_object(value))))
		return set_one(r, p, opt, value);
	if ((opt->type == OPTION_BOOL || opt->or_bool) && json_is_boolean(value))
		return set_text(r, p, opt, json_is_true(value) ? "true" : "false");
	if (options_is_file(opt) && json_is_string(value))
		return set_file(r, p, opt, json_string_value(value));
	if ((opt->type == OPTION_STRING || opt->type == OPTION_MODE) && json_is_string(value))
		return set_text(r, p, opt, json_string_value(value));
	if (opt->type == OPTION_INT && json_is_integer(value)) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return set_text(r, p, opt, text);
	}
	n = snprintf(wanted, sizeof(wanted), "%s; allowed: ", nouns[opt->type]);
	options_describe(opt, wanted + n, sizeof(wanted) - (size_t)n);
	return wrong_type(r, p->path, opt->key, value, wanted);
}

static bool is_group(const struct place *p, const char *group)
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count; i++)
		if (belongs(&table[i], p) && begins_with(table[i].key, group))
			return true;
	return false;
}

/* Whether it is an option, or a group of them. */
static bool has_key(const struct place *p, const char *key)
{
	char name[PATH_BYTES];
	const struct option *opt;

	snprintf(name, sizeof(name), "%s%s", p->group, key);
	opt = options_find(name);
	snprintf(name, sizeof(name), "%s%s.", p->group, key);
	return (opt && belongs(opt, p)) || is_group(p, name);
}

/* An object, or true or false where the group may be enabled: so it is by an object that says nothing of that. */
static int read_group(struct reader *r, const struct place *p, char name[PATH_BYTES], json_t *value)
{
	struct place inner = *p;
	char enabled[PATH_BYTES + 8];
	const struct option *opt;
	int err = 0;

	snprintf(enabled, sizeof(enabled), "%senabled", name);
	opt = options_find(enabled);
	if (opt && json_is_boolean(value))
		return set_option(r, p, opt, value);
	if (!json_is_object(value)) {
		name[strlen(name) - 1] = '\0';
		return wrong_type(r, p->path, name, value, opt ? "an object, true or false" : "an object");
	}
	if (opt && !json_object_get(value, "enabled"))
		err = set_option(r, p, opt, json_true());
	inner.group = name;
	inner.words = NULL;
	inner.also = NULL;
	return err < 0 ? err : read_members(r, &inner, value);
}

static int read_option(struct reader *r, const struct place *p, const char *key, json_t *value)
{
	char name[PATH_BYTES];
	const struct option *opt;

	if (*key == '\0' || strchr(key, '.') || strlen(key) > PATH_BYTES / 2)
		return unknown_key(r, p, key);
	snprintf(name, sizeof(name), "%s%s", p->group, key);
	opt = options_find(name);
	if (opt && belongs(opt, p))
		return set_option(r, p, opt, value);
	snprintf(name, sizeof(name), "%s%s.", p->group, key);
	if (!is_group(p, name) && p->also && has_key(p->also, key))
		return read_option(r, p->also, key, value);
	if (!is_group(p, name))
		return unknown_key(r, p, key);
	return read_group(r, p, name, value);
}

static int read_members(struct reader *r, const struct place *p, json_t *object)
{
	const char *key;
	json_t *value;
	int err;

	json_object_foreach (object, key, value) {
		const struct word *w = p->words;

		while (w && w->key && strcmp(w->key, key) != 0)
			w++;
		if (!w || !w->key)
			err = read_option(r, p, key, value);
		else
			err = w->read ? w->read(r, p->path, value) : 0;
		if (err < 0)
			return err;
	}
	return 0;
}

static int check_together(struct reader *r, const struct place *p)
{
	int err = 0;

	for (int scope = 0; scope < OPTION_SCOPES && err == 0; scope++)
		if (p->scopes >> scope & 1)
			err = options_check(p->options, (enum option_scope)scope);
	return err < 0 ? refuse(r, err, p->path, p->options->error) : 0;
}

/* --- the daemon's own words ------------------------------------------------------------------- */

/* A string that must be there; NULL after an error. */
static const char *required(struct reader *r, const char *path, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		config_fail(r->c, -EINVAL, "%s: %s%s: missing", r->name, path, key);
	else if (!json_is_string(value))
		wrong_type(r, path, key, value, "a string");
	return json_string_value(value);
}

/* What config_add_*() said, with the path before it. */
static int at(struct reader *r, int err, const char *path)
{
	return err < 0 ? refuse(r, err, path, r->c->error) : 0;
}

/* A socket's file is found from where the configuration stands, as every other. */
static const char *place_of(const struct reader *r, const char *address, char text[PATH_BYTES])
{
	if (!r->directory || strncmp(address, "unix:", 5) != 0 || address[5] == '/' || !address[5])
		return address;
	snprintf(text, PATH_BYTES, "unix:%s/%s", r->directory, address + 5);
	return text;
}

static int read_listener_object(struct reader *r, const char *path, json_t *value)
{
	static const struct word words[] = { { "address", NULL }, { NULL, NULL } };
	struct place p = { path, "", 1u << OPTION_LISTENER, NULL, words, NULL, false };
	const char *address = required(r, path, value, "address");
	char where[PATH_BYTES + 16], text[PATH_BYTES];
	int err;

	if (!address)
		return -EINVAL;
	snprintf(where, sizeof(where), "%saddress: ", path);
	if ((err = at(r, config_add_listener(r->c, place_of(r, address, text)), where)) < 0)
		return err;
	p.options = &r->c->listeners[r->c->listener_count - 1].options;
	if ((err = read_members(r, &p, value)) < 0)
		return err;
	return check_together(r, &p);
}

static int read_listener(struct reader *r, size_t i, json_t *value)
{
	char path[PATH_BYTES], text[PATH_BYTES];

	if (json_is_string(value)) {
		const char *address = place_of(r, json_string_value(value), text);

		snprintf(path, sizeof(path), "listen[%zu]: ", i);
		return at(r, config_add_listener(r->c, address), path);
	}
	snprintf(path, sizeof(path), "listen[%zu]", i);
	if (!json_is_object(value))
		return wrong_type(r, "", path, value, "an address or an object with \"address\"");
	snprintf(path, sizeof(path), "listen[%zu].", i);
	return read_listener_object(r, path, value);
}

static int read_listen(struct reader *r, const char *path, json_t *value)
{
	size_t i;
	json_t *item;
	int err;

	if (!json_is_array(value))
		return wrong_type(r, path, "listen", value, "a list of addresses");
	json_array_foreach (value, i, item)
		if ((err = read_listener(r, i, item)) < 0)
			return err;
	return 0;
}

static int read_internal_listen(struct reader *r, const char *path, json_t *value)
{
	char text[PATH_BYTES];

	if (json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return wrong_type(r, path, "internal.listen", value, "an address or null");
	return at(r, config_set_internal(r->c, place_of(r, json_string_value(value), text)),
	    "internal.listen: ");
}

static int read_internal(struct reader *r, const char *path, json_t *value)
{
	static const struct word words[] = { { "listen", read_internal_listen }, { NULL, NULL } };
	struct place address = { .path = "internal.",
		.group = "",
		.scopes = 1u << OPTION_LISTENER,
		.options = &r->c->internal_options,
		.is_internal = true };
	struct place p = { path, "internal.", 1u << OPTION_SERVER, &r->c->options, words, &address,
		false };
	int err;

	if (!json_is_object(value))
		return wrong_type(
		    r, path, "internal", value, "an object; allowed: {\"listen\": ADDRESS}");
	err = read_members(r, &p, value);
	return err < 0 ? err : check_together(r, &address);
}

/* What is within JSON the application reads: it is told where the configuration stands, if there
 * may be names of files. */
static int set_directory(struct reader *r, const struct place *p)
{
	const struct option *opt = options_find("stomp.directory");
	const struct stomp_options *s = &p->options->stomp;

	if (!belongs(opt, p) || !r->directory || s->directory || (!s->users && !s->tokens))
		return 0;
	return set_text(r, p, opt, r->directory);
}

/* --- an engine for all brokers ---------------------------------------------------------------- */

/* Its members are options of stomp.engine, which the user has not written so: "stomp." goes
 * wherever a sentence has it before them. */
static void name_as_written(struct reader *r)
{
	static const char named[] = "stomp.engine";
	char *p = r->c->error;

	if (begins_with(p, r->name))
		p += strlen(r->name);
	while ((p = strstr(p, named)) != NULL) {
		if (p > r->c->error && p[-1] == ' ')
			memmove(p, p + 6, strlen(p + 6) + 1);
		p++;
	}
}

static bool has_broker(const struct config_endpoint *e)
{
	return e->app->scopes >> OPTION_STOMP & 1;
}

/* It is read before the endpoints that take it, wherever it stands. What it must have together with
 * a broker's other options is looked at there. */
static int read_engine(struct reader *r, json_t *value)
{
	struct place p = { "", "stomp.engine.", 1u << OPTION_STOMP, r->engine, NULL, NULL, false };
	int err;

	if (!json_is_object(value))
		return wrong_type(r, "", "engine", value, "an object");
	r->engine->stomp.max_body_bytes = 0;
	if ((err = read_members(r, &p, value)) < 0 || (err = check_together(r, &p)) < 0)
		name_as_written(r);
	return err;
}

/* Brokers of one gateway stay apart, each one with its like at other gateways: by the endpoint's prefix, in which
 * what engine.prefix cannot have is _XX. "sockjsd" and "/stomp" are "sockjsd-stomp". */
static int name_apart(struct reader *r, const struct place *p, const char *endpoint)
{
	struct buf text = BUF_INIT;
	int err = buf_add_str(&text, r->engine->stomp.engine_prefix);

	for (const char *at = endpoint; *at && err == 0; at++) {
		bool is_plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		err = *at == '/' ? buf_add(&text, "-", 1)
		      : is_plain ? buf_add(&text, at, 1)
		                 : buf_printf(&text, "_%02x", (unsigned)(unsigned char)*at);
	}
	if (err == 0)
		err = buf_add(&text, "", 1);
	err = err < 0 ? config_no_memory(r->c)
	              : set_text(r, p, options_find("stomp.engine.prefix"), buf_data(&text));
	buf_fini(&text);
	return err;
}

/* Of a broker that says nothing of an engine itself. */
static int take_engine(struct reader *r, const struct place *p, const char *endpoint)
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count; i++)
		if (begins_with(table[i].key, "stomp.engine.") &&
		    options_assign(p->options, r->engine, &table[i]) < 0)
			return config_no_memory(r->c);
	return strcmp(r->engine->stomp.engine_kind, "memory") == 0 ? 0 : name_apart(r, p, endpoint);
}

/* The engine is good by itself: what is wrong is that it does not go with this endpoint. */
static int check_taken(struct reader *r, const struct place *p)
{
	char sentence[sizeof(p->options->error)];
	int err = check_together(r, p);

	snprintf(sentence, sizeof(sentence), "%s", p->options->error);
	if (err == 0 || !begins_with(sentence, "stomp.engine."))
		return err;
	config_fail(
	    r->c, err, "%s: %s (%.*s)", r->name, sentence, (int)strlen(p->path) - 1, p->path);
	name_as_written(r);
	return err;
}

/* Whoever wrote it believes that something is joined. */
static int check_engine_is_for_somebody(struct reader *r)
{
	if (r->c->options.server.peers_sessions)
		return 0;
	for (size_t i = 0; i < r->c->endpoint_count; i++)
		if (has_broker(&r->c->endpoints[i]))
			return 0;
	return config_fail(r->c, -EINVAL,
	    "%s: engine: means nothing without an endpoint whose application is \"stomp\", and peers.sessions false",
	    r->name);
}

/* Of other gateways nobody knows without an engine for all. */
static int check_peers_are_there(struct reader *r)
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count && !r->c->engine; i++)
		if (begins_with(table[i].key, "peers.") && options_is_said(&r->c->options, &table[i]))
			return config_fail(r->c, -EINVAL,
			    "%s: %s: means nothing without engine.kind \"nats\", by which other gateways are found", r->name,
			    table[i].key);
	return 0;
}

/* Who shares sessions, and with whom. */
static int keep_engine(struct reader *r)
{
	if (strcmp(r->engine->stomp.engine_kind, "memory") == 0)
		return 0;
	r->c->engine = mem_alloc(sizeof(*r->c->engine));
	if (r->c->engine && options_copy(r->c->engine, r->engine) == 0)
		return 0;
	mem_free(r->c->engine);
	r->c->engine = NULL;
	return config_no_memory(r->c);
}

/* --- endpoints and the top level -------------------------------------------------------------- */

static int read_endpoint(struct reader *r, size_t i, json_t *value)
{
	static const struct word words[] = { { "prefix", NULL }, { "application", NULL },
		{ NULL, NULL } };
	char path[PATH_BYTES];
	struct place p = { path, "", 0, NULL, words, NULL, false };
	const char *prefix, *application;
	bool takes_engine;
	int err;

	snprintf(path, sizeof(path), "endpoints[%zu]", i);
	if (!json_is_object(value))
		return wrong_type(r, "", path, value, "an object");
	snprintf(path, sizeof(path), "endpoints[%zu].", i);
	if (!(prefix = required(r, path, value, "prefix")) ||
	    !(application = required(r, path, value, "application")))
		return -EINVAL;
	if ((err = at(r, config_add_endpoint(r->c, prefix, application), path)) < 0)
		return err;
	p.options = &r->c->endpoints[r->c->endpoint_count - 1].options;
	p.scopes = config_endpoint_scopes(&r->c->endpoints[r->c->endpoint_count - 1]);
	takes_engine = r->engine && has_broker(&r->c->endpoints[r->c->endpoint_count - 1]) &&
	               !json_object_get(json_object_get(value, "stomp"), "engine");
	if ((err = read_members(r, &p, value)) < 0 || (err = set_directory(r, &p)) < 0)
		return err;
	if (takes_engine && (err = take_engine(r, &p, prefix)) < 0)
		return err;
	return takes_engine ? check_taken(r, &p) : check_together(r, &p);
}

static int read_endpoints(struct reader *r, const char *path, json_t *value)
{
	size_t i;
	json_t *item;
	int err;

	if (!json_is_array(value))
		return wrong_type(r, path, "endpoints", value, "a list of objects");
	json_array_foreach (value, i, item)
		if ((err = read_endpoint(r, i, item)) < 0)
			return err;
	return 0;
}

static int read_name(struct reader *r, const char *key, json_t *value, char **name)
{
	const char *text = json_string_value(value);
	char *copy = NULL;

	if (!json_is_null(value) && (!text || !*text))
		return wrong_type(r, "", key, value, "a name or null");
	if (text && !(copy = mem_strdup(text)))
		return config_no_memory(r->c);
	mem_free(*name);
	*name = copy;
	return 0;
}

static int read_user(struct reader *r, const char *path, json_t *value)
{
	(void)path;
	return read_name(r, "user", value, &r->c->user);
}

static int read_group_name(struct reader *r, const char *path, json_t *value)
{
	(void)path;
	return read_name(r, "group", value, &r->c->group);
}

static int read_log_level(struct reader *r, const char *path, json_t *value)
{
	int level = json_is_string(value) ? log_level_by_name(json_string_value(value)) : -1;

	if (level < 0)
		return wrong_type(r, path, "log_level", value,
		    "a log level; allowed: \"debug\", \"info\", \"warn\", \"error\", \"silent\"");
	r->c->log_level = (enum log_level)level;
	return 0;
}

static int read_log_format(struct reader *r, const char *path, json_t *value)
{
	int format = json_is_string(value) ? log_format_by_name(json_string_value(value)) : -1;

	if (format < 0)
		return wrong_type(
		    r, path, "log_format", value, "a log format; allowed: \"text\", \"json\"");
	r->c->log_format = (enum log_format)format;
	return 0;
}

static int read_top_level(struct reader *r, json_t *root)
{
	static const struct word words[] = {
		{ "listen", read_listen },
		{ "internal", read_internal },
		{ "endpoints", read_endpoints },
		{ "engine", NULL },
		{ "user", read_user },
		{ "group", read_group_name },
		{ "log_level", read_log_level },
		{ "log_format", read_log_format },
		{ NULL, NULL },
	};
	struct place p = { "", "", 1u << OPTION_SERVER, &r->c->options, words, NULL, false };
	int err = read_members(r, &p, root);

	if (err == 0 && r->engine)
		err = check_engine_is_for_somebody(r);
	if (err == 0 && r->engine)
		err = keep_engine(r);
	if (err == 0)
		err = check_peers_are_there(r);
	return err < 0 ? err : check_together(r, &p);
}

static int read_root(struct reader *r, json_t *root)
{
	struct sockjs_options engine;
	json_t *value = json_object_get(root, "engine");
	int err;

	if (!json_is_object(root))
		return config_fail(r->c, -EINVAL, "%s: %s is not an object", r->name, kind(root));
	if (!value)
		return read_top_level(r, root);
	if (options_init(&engine) < 0)
		return config_no_memory(r->c);
	r->engine = &engine;
	err = read_engine(r, value);
	if (err == 0)
		err = read_top_level(r, root);
	options_fini(&engine);
	r->engine = NULL;
	return err;
}

/* --- text and file ---------------------------------------------------------------------------- */

static int read_json(struct reader *r, const char *text, size_t len)
{
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	int err;

	if (!root && error.text[0] == '\0')
		return config_no_memory(r->c);
	if (!root)
		return config_fail(r->c, -EINVAL, "%s:%d:%d: %s", r->name, error.line, error.column,
		    json_text_complaint(&error));
	err = read_root(r, root);
	json_decref(root);
	return err;
}

int config_read_text(struct config *c, const char *name, const char *text, size_t len)
{
	struct reader r = { c, name, NULL, NULL };

	return read_json(&r, text, len);
}

static int read_all(struct config *c, const char *path, int fd, struct buf *text)
{
	ssize_t n = 1;

	while (n > 0) {
		char *room = buf_reserve(text, 4096);

		if (!room)
			return config_no_memory(c);
		if ((n = read(fd, room, 4096)) < 0)
			return config_fail(c, -errno, "%s: %s", path, strerror(errno));
		buf_commit(text, (size_t)n);
		if (buf_len(text) > MAX_FILE_BYTES)
			return config_fail(c, -EINVAL, "%s: the file is longer than %u bytes", path,
			    MAX_FILE_BYTES);
	}
	return 0;
}

/* The directory that the file was named in, as an absolute path, so that what is printed means the
 * same elsewhere. A pipe stands nowhere: NULL. */
static int directory_of(struct config *c, int fd, const char *path, char **out)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	char *dir;

	*out = NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	dir = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
	if (!dir)
		return config_no_memory(c);
	*out = realpath(dir, NULL);
	mem_free(dir);
	return *out ? 0 : config_fail(c, -errno, "%s: %s", path, strerror(errno));
}

int config_read_file(struct config *c, const char *path)
{
	struct buf text = BUF_INIT;
	struct reader r = { c, path, NULL, NULL };
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	char *directory = NULL;

	if (fd < 0)
		return config_fail(c, -errno, "%s: %s", path, strerror(errno));
	err = directory_of(c, fd, path, &directory);
	r.directory = directory;
	if (err == 0)
		err = read_all(c, path, fd, &text);
	close(fd);
	if (err == 0)
		err = read_json(&r, text.data ? buf_data(&text) : "", buf_len(&text));
	buf_fini(&text);
	free(directory);
	return err;
}
