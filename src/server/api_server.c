/*
 * server/api_server.c - commands about the server itself: endpoints, config, reload, log, drain.
 *
 * What the server does not know, as the names of applications and the file its options came from,
 * the program around it is asked for (server_set_host()).
 */
#include "base/log.h"
#include "server/api.h"

#define COST_ENDPOINT 20000   /* nanoseconds, of one that is described */
#define COST_CONFIG   1000000 /* of a configuration */

/* --- endpoints -------------------------------------------------------------------- */

/* The array, or NULL when memory is out; then it is gone. */
static json_t *appended(json_t *array, const char *text)
{
	if (json_array_append_new(array, json_string(text)) == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *list_of(const struct string_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		array = appended(array, list->items[i]);
	return array;
}

static json_t *commands_of(const struct server_endpoint *ep)
{
	const char *const *name = ep->callbacks.command ? ep->callbacks.commands : NULL;
	json_t *array = json_array();

	for (; name && *name; name++)
		array = appended(array, *name);
	return array;
}

static json_t *limits_of(const struct endpoint_options *o)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "max_sessions",
	    (json_int_t)o->max_sessions, "max_messages_per_second",
	    (json_int_t)o->max_messages_per_second, "max_bytes_per_second",
	    (json_int_t)o->max_bytes_per_second, "max_message_bytes",
	    (json_int_t)o->max_message_bytes, "max_body_bytes", (json_int_t)o->max_body_bytes,
	    "send_buffer_bytes", (json_int_t)o->send_buffer_bytes, "response_limit_bytes",
	    (json_int_t)o->response_limit_bytes);
}

/* jansson takes what it is given over, also when it has no memory for the rest. */
static json_t *describe(const struct sockjs_server *server, const struct server_config *config, size_t i)
{
	const struct server_endpoint *ep = config->endpoints[i];
	const struct server_host *host = &server->host;
	bool is_ready = !ep->callbacks.ready || ep->callbacks.ready(ep->app);

	sockjs_spend(COST_ENDPOINT);
	return json_pack("{s:s,s:s?,s:I,s:b,s:o,s:o,s:o}", "prefix", ep->prefix, "application",
	    host->application ? host->application(host->arg, i) : NULL, "sessions",
	    (json_int_t)atomic_load_explicit(&ep->place->sessions, memory_order_relaxed), "ready",
	    is_ready, "transports", list_of(&ep->options.transports), "limits",
	    limits_of(&ep->options), "commands", commands_of(ep));
}

void api_list_endpoints(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	const struct sockjs_server *server = c->api->server;
	const struct server_config *config = config_here(server);
	json_t *list;

	if (!command_has_only(c, known))
		return;
	if (json_object_get(c->arguments, "endpoint") && !c->endpoint) {
		sockjs_command_refuse(
		    c, 404, "no_endpoint", "endpoint", "There is no such endpoint.");
		return;
	}
	list = json_array();
	for (size_t i = 0; i < config->endpoint_count; i++) {
		if (c->endpoint && c->endpoint != config->endpoints[i])
			continue;
		if (json_array_append_new(list, describe(server, config, i)) < 0) {
			json_decref(list);
			command_no_memory(c);
			return;
		}
	}
	command_answer(c, json_pack("{s:o}", "endpoints", list));
}

/* --- the configuration ------------------------------------------------------------ */

void api_show_config(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	const struct server_host *host = &c->api->server->host;
	struct buf text = BUF_INIT;

	if (!command_has_only(c, known))
		return;
	sockjs_spend(COST_CONFIG);
	if (!host->print_config)
		sockjs_command_refuse(c, 404, "no_config", NULL,
		    "The program around this server has no configuration to show.");
	else if (host->print_config(host->arg, &text) < 0)
		command_no_memory(c);
	else
		sockjs_command_reply(c, 200, buf_data(&text), buf_len(&text));
	buf_fini(&text);
}

/* --- the log ------------------------------------------------------------------------ */

static void set_level(enum log_level level)
{
	const char *before = log_level_name((enum log_level)log_get_threshold());

	/* Said while it is heard, whichever of the two is the quieter one */
	if ((int)level < log_get_threshold())
		log_set_level(level);
	log_warn("the log level was set by a command", LOG_STR("level", log_level_name(level)),
	    LOG_STR("before", before));
	log_set_level(level);
}

void api_set_log(struct sockjs_command *c)
{
	static const char *const known[] = { "level", NULL };
	const char *name;

	if (!command_has_only(c, known) || !command_string(c, "level", false, &name))
		return;
	if (name && log_level_by_name(name) < 0) {
		command_refuse_argument(c, "level", "must be debug, info, warn, error or silent");
		return;
	}
	if (name)
		set_level((enum log_level)log_level_by_name(name));
	command_answer(
	    c, json_pack("{s:s}", "level", log_level_name((enum log_level)log_get_threshold())));
}

/* --- reading it again --------------------------------------------------------------- */

void api_reload(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	const struct server_host *host = &c->api->server->host;

	if (!command_has_only(c, known))
		return;
	if (host->reload)
		host->reload(host->arg, c);
	else
		sockjs_command_refuse(c, 404, "no_config", NULL,
		    "The program around this server has no configuration to read.");
}

/* --- another process ----------------------------------------------------------------- */

void api_restart(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	const struct server_host *host = &c->api->server->host;

	if (!command_has_only(c, known))
		return;
	if (host->restart)
		host->restart(host->arg, c);
	else
		sockjs_command_refuse(c, 404, "no_restart", NULL,
		    "The program around this server cannot be restarted like this.");
}

/* --- the end ------------------------------------------------------------------------ */

void api_drain(struct sockjs_command *c)
{
	static const char *const known[] = { NULL };
	struct sockjs_server *server = c->api->server;
	const struct server_host *host = &server->host;

	if (!command_has_only(c, known))
		return;
	if (server_begin_stop(server) && host->stopping)
		host->stopping(host->arg);
	command_answer(c,
	    json_pack("{s:b,s:I}", "draining", 1, "sessions", (json_int_t)server_sessions(server)));
}
