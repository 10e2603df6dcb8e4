/*
 * daemon/print_config.c - writes the configuration with every key, so that
 * --print-config documents itself and can be fed back; see config.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/config_item.h"
#include "daemon/hide_secrets.h"
#include "server/json_text.h"

/* Jansson's *_new functions take ownership even when they fail, and accept NULL, so that one check
 * of the result covers the making of the value too. */

static json_t *string_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *list_value(const struct option *opt, const struct string_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		if (json_array_append_new(array, config_item_json(opt, list->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *pair_value(const uint64_t n[2])
{
	return json_pack("[I,I]", (json_int_t)n[0], (json_int_t)n[1]);
}

static json_t *text_value(
    const struct sockjs_options *o, const struct option *opt, json_t *(*make)(const char *text))
{
	int len = options_get(o, opt, NULL, 0);
	char *text;
	json_t *value;

	if (len < 0)
		return json_null();
	if (!(text = mem_alloc((size_t)len + 1)))
		return NULL;
	options_get(o, opt, text, (size_t)len + 1);
	value = make(text);
	mem_free(text);
	return value;
}

/* That it is JSON was found when it was set. */
static json_t *parse(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *option_value(const struct sockjs_options *o, const struct option *opt)
{
	char text[32];

	switch (opt->type) {
	case OPTION_LIST:
		return list_value(opt, options_list(o, opt));
	case OPTION_PAIR:
		return pair_value(options_pair(o, opt));
	case OPTION_JSON:
		return text_value(o, opt, parse);
	case OPTION_BOOL:
		options_get(o, opt, text, sizeof(text));
		return json_boolean(strcmp(text, "true") == 0);
	case OPTION_INT:
		options_get(o, opt, text, sizeof(text));
		return json_integer((json_int_t)strtoumax(text, NULL, 10));
	default:
		return text_value(o, opt, json_string);
	}
}

/* The object that a dotted key leads to; made when it is not there yet. *key becomes its last part.
 */
static json_t *group_of(json_t *object, const char **key)
{
	const char *dot;
	char name[64];

	while (object && (dot = strchr(*key, '.')) != NULL) {
		json_t *outer = object;

		snprintf(name, sizeof(name), "%.*s", (int)(dot - *key), *key);
		*key = dot + 1;
		object = json_object_get(outer, name);
		if (!object && json_object_set_new(outer, name, json_object()) == 0)
			object = json_object_get(outer, name);
	}
	return object;
}

static int add_some(json_t *object, const struct sockjs_options *o, enum option_scope scope,
    bool (*wanted)(const struct option *opt))
{
	size_t count;
	const struct option *table = options_table(&count);

	for (size_t i = 0; i < count; i++) {
		const char *key = table[i].key;
		json_t *group;

		if (table[i].scope != scope || (wanted && !wanted(&table[i])))
			continue;
		group = group_of(object, &key);
		if (json_object_set_new(group, key, option_value(o, &table[i])) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_options(json_t *object, const struct sockjs_options *o, enum option_scope scope)
{
	return add_some(object, o, scope, NULL);
}

static bool is_for_operators(const struct option *opt)
{
	return !opt->is_public;
}

/* But for what the table has, which is the server's. */
static json_t *internal_object(const struct config *c)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "listen", string_or_null(c->internal)) == 0 &&
	    add_some(object, &c->internal_options, OPTION_LISTENER, is_for_operators) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *listener_object(const struct config_listener *l)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "address", json_string(l->address)) == 0 &&
	    add_options(object, &l->options, OPTION_LISTENER) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static bool is_of_engine(const struct option *opt)
{
	return strncmp(opt->key, "stomp.engine.", 13) == 0;
}

/* Its keys are written without "stomp." there. */
static int add_engine(json_t *root, const struct config *c)
{
	json_t *stomp = json_object();
	int err = c->engine ? add_some(stomp, c->engine, OPTION_STOMP, is_of_engine) : 0;
	json_t *engine = json_object_get(json_object_get(stomp, "stomp"), "engine");

	if (err == 0 && engine)
		err = json_object_set(root, "engine", engine) < 0 ? -ENOMEM : 0;
	json_decref(stomp);
	return err;
}

static int add_scopes(json_t *object, const struct sockjs_options *o, unsigned scopes)
{
	int err = 0;

	for (int scope = 0; scope < OPTION_SCOPES && err == 0; scope++)
		if (scopes >> scope & 1)
			err = add_options(object, o, (enum option_scope)scope);
	return err;
}

static json_t *endpoint_object(const struct config_endpoint *e)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "prefix", json_string(e->prefix)) == 0 &&
	    json_object_set_new(object, "application", json_string(e->app->name)) == 0 &&
	    add_scopes(object, &e->options, config_endpoint_scopes(e)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *listeners_array(const struct config *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->listener_count; i++) {
		if (json_array_append_new(array, listener_object(&c->listeners[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *endpoints_array(const struct config *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->endpoint_count; i++) {
		if (json_array_append_new(array, endpoint_object(&c->endpoints[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int fill(json_t *root, const struct config *c)
{
	static const char *const formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json" };

	if (json_object_set_new(root, "listen", listeners_array(c)) < 0 ||
	    json_object_set_new(root, "internal", internal_object(c)) < 0 ||
	    json_object_set_new(root, "user", string_or_null(c->user)) < 0 ||
	    json_object_set_new(root, "group", string_or_null(c->group)) < 0 ||
	    json_object_set_new(root, "log_level", json_string(log_level_name(c->log_level))) < 0 ||
	    json_object_set_new(root, "log_format", json_string(formats[c->log_format])) < 0 ||
	    add_options(root, &c->options, OPTION_SERVER) < 0 || add_engine(root, c) < 0 ||
	    json_object_set_new(root, "endpoints", endpoints_array(c)) < 0)
		return -ENOMEM;
	return 0;
}

static int print(const struct config *c, bool hides, struct buf *out)
{
	json_t *root = json_object();
	int err = fill(root, c);

	if (err == 0 && hides)
		err = hide_secrets(root);
	if (err == 0)
		err = json_text_dump(root, JSON_INDENT(2), out);
	if (err == 0)
		err = buf_add(out, "\n", 1);
	json_decref(root);
	return err;
}

int config_print(const struct config *c, struct buf *out)
{
	return print(c, false, out);
}

int config_print_shown(const struct config *c, struct buf *out)
{
	return print(c, true, out);
}
