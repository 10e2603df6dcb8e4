/*
 * server/api.c - commands from outside; see api.h.
 *
 * First who asks: to strangers nothing is said but that. Then how: POST, JSON, one object.
 * Then what: the server's own commands, and those that applications have. A command leaves its HTTP
 * request at once, for its answer may have to come from all reactors.
 */
#include "server/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/json_text.h"
#include "server/operators.h"
#include "server/restart.h"

#define COST_OCTET 5 /* nanoseconds, of JSON that is read */

/* Of whom the question is. */
struct asker {
	struct reactor *reactor;
	struct http_request *http;
	const char *name; /* of the command */
};

/* --- refusing --------------------------------------------------------------- */

static void say(const struct asker *a, struct http_head *head, json_t *body)
{
	size_t n = 0;
	char *text = api_dump(body, &n);

	http_head_add(head, "Content-Type", "application/json");
	http_head_never_cache(head);
	http_respond(a->http, head, text ? (struct bytes){ text, n } : BYTES("{}\n"));
	mem_free(text);
}

static void refuse_with(const struct asker *a, struct http_head *head, enum http_refusal why,
    const char *code, const char *field, const char *sentence)
{
	http_refused(a->reactor->base.http, why, http_request_peer(a->http),
	    HTTP_REFUSED_FIELDS(LOG_INT("status", head->status), LOG_STR("code", code),
	        LOG_STR("answer", sentence)));
	say(a, head, api_error(code, field, sentence));
}

static void refuse(const struct asker *a, unsigned status, enum http_refusal why, const char *code,
    const char *field, const char *format, ...) __attribute__((format(printf, 6, 7)));
static void refuse(const struct asker *a, unsigned status, enum http_refusal why, const char *code,
    const char *field, const char *format, ...)
{
	struct http_head head;
	char sentence[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	http_head_init(&head, status);
	if (status == 401)
		http_head_add(&head, "WWW-Authenticate", "Bearer");
	if (status == 405)
		http_head_add(&head, "Allow", "POST");
	if (status == 503)
		http_head_add(&head, "Retry-After", "1");
	refuse_with(a, &head, why, code, field, sentence);
}

static void refuse_for_memory(const struct asker *a)
{
	refuse(a, 503, HTTP_REFUSED_NO_MEMORY, "no_memory", NULL, "Out of memory or descriptors.");
}

/* --- who asks ----------------------------------------------------------------- */

/* What would let him in, with what he has shown. */
static void explain(const struct asker *a, char *text, size_t size)
{
	const struct operators *o = a->reactor->config->operators;
	bool lists = o->subjects.count > 0 || o->fingerprints.count > 0;
	const char *token = "Authorization: Bearer with the token of internal.token is needed";
	struct tls_peer peer;

	if (!lists)
		snprintf(text, size, "%s.", token);
	else if (http_request_tls_peer(a->http, &peer) == 0)
		snprintf(text, size,
		    "The certificate \"%.150s\" (SHA-256 %s) is not among internal.client_subjects "
		    "and internal.client_fingerprints%s.",
		    peer.subject, peer.fingerprint,
		    o->token ? ", nor is there the token of internal.token" : "");
	else
		snprintf(text, size, "%s%sa certificate of internal.client_subjects or "
		                     "internal.client_fingerprints%s.",
		    o->token ? token : "", o->token ? ", or " : "",
		    o->token ? "" : " is needed");
}

static void refuse_stranger(const struct asker *a)
{
	bool has_token = a->reactor->config->operators->token != NULL;
	char sentence[400];

	explain(a, sentence, sizeof(sentence));
	if (has_token)
		refuse(a, 401, HTTP_REFUSED_TOKEN, "unauthorized", NULL, "%s", sentence);
	else /* there is nothing that could be said in a header */
		refuse(a, 403, HTTP_REFUSED_TOKEN, "forbidden", NULL, "%s", sentence);
}

/* Whether he may give commands; if not, he is told. */
static bool is_authorised(const struct asker *a)
{
	const struct server_config *config = a->reactor->config;

	switch (operators_judge(config->operators, &config->trust, a->http)) {
	case OPERATOR_KNOWN:
		return true;
	case OPERATOR_FOREIGN:
		refuse(a, 403, HTTP_REFUSED_ORIGIN, "origin", NULL,
		    "A page of another origin may not give commands with its visitor's "
		    "certificate.");
		return false;
	case OPERATOR_UNKNOWN:
		break;
	}
	refuse_stranger(a);
	return false;
}

/* --- how ------------------------------------------------------------------------ */

static bool is_json(const struct http_request *r)
{
	struct bytes type = http_request_header(r, HTTP_CONTENT_TYPE);
	const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;

	if (end)
		type.n = (size_t)(end - type.p);
	while (type.n > 0 && (type.p[type.n - 1] == ' ' || type.p[type.n - 1] == '\t'))
		type.n--;
	return bytes_equal_nocase(type, BYTES("application/json"));
}

/* A new reference; NULL if it was refused. No body is an object without members. */
static json_t *read_arguments(const struct asker *a, struct bytes body)
{
	json_error_t error;
	json_t *value;

	if (body.n == 0)
		body = BYTES("{}");
	value = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json_is_object(value))
		return value;
	if (value || error.text[0])
		refuse(a, 400, HTTP_REFUSED_COMMAND, "not_json", NULL,
		    "The body must be one JSON object: line %d, column %d: %.200s.",
		    value ? 1 : error.line, value ? 1 : error.column,
		    value ? "this is something else" : json_text_complaint(&error));
	else
		refuse_for_memory(a);
	json_decref(value);
	return NULL;
}

/* --- who answers ------------------------------------------------------------------ */

static bool has_command(const struct server_endpoint *ep, const char *name)
{
	const char *const *known = ep->callbacks.command ? ep->callbacks.commands : NULL;

	while (known && *known)
		if (strcmp(*known++, name) == 0)
			return true;
	return false;
}

static bool is_known(const struct server_config *config, const char *name)
{
	if (api_own_command(name))
		return true;
	for (size_t i = 0; i < config->endpoint_count; i++)
		if (has_command(config->endpoints[i], name))
			return true;
	return false;
}

static void refuse_many(struct sockjs_command *c, const struct server_endpoint *one,
    const struct server_endpoint *other)
{
	command_refuse_argument(c, "endpoint", "is missing; %s and %s both know this command",
	    one->prefix, other->prefix);
}

/* The one application that knows the command; one that serves several endpoints is one. NULL: the
 * command was refused. */
static struct server_endpoint *only_taker(struct sockjs_command *c)
{
	const struct server_config *config = config_here(c->api->server);
	struct server_endpoint *found = NULL;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		struct server_endpoint *ep = config->endpoints[i];

		if (!has_command(ep, c->name) ||
		    (found && found->app == ep->app &&
		        found->callbacks.command == ep->callbacks.command))
			continue;
		if (found) {
			refuse_many(c, found, ep);
			return NULL;
		}
		found = ep;
	}
	if (!found)
		sockjs_command_refuse(c, 404, "no_application", NULL,
		    "No application here has users or messages of its own.");
	return found;
}

static struct server_endpoint *find_taker(struct sockjs_command *c, const char *prefix)
{
	struct server_endpoint *ep;

	if (!prefix)
		return only_taker(c);
	ep = server_config_endpoint(config_here(c->api->server), prefix);
	if (!ep)
		sockjs_command_refuse(
		    c, 404, "no_endpoint", "endpoint", "There is no such endpoint.");
	else if (!has_command(ep, c->name))
		sockjs_command_refuse(c, 404, "no_application", "endpoint",
		    "The application of this endpoint does not know the command.");
	return ep && has_command(ep, c->name) ? ep : NULL;
}

/* It may be gone from the configuration before the command is answered. */
static void command_set_endpoint(struct sockjs_command *c, struct server_endpoint *ep)
{
	if (ep)
		endpoint_hold(ep);
	if (c->endpoint)
		endpoint_release(c->endpoint);
	c->endpoint = ep;
}

void api_run(struct sockjs_command *c)
{
	api_command_fn own = api_own_command(c->name);
	const char *prefix;

	if (!command_string(c, "endpoint", false, &prefix))
		return;
	if (prefix)
		command_set_endpoint(
		    c, server_config_endpoint(config_here(c->api->server), prefix));
	if (own && !api_is_for_application(c)) {
		own(c);
		return;
	}
	command_set_endpoint(c, find_taker(c, prefix));
	if (c->endpoint)
		c->endpoint->callbacks.command(c, c->endpoint->app);
}

/* Applications know for themselves what is at other gateways. */
static void go(struct sockjs_command *c)
{
	if (!api_own_command(c->name) || api_is_for_application(c) || !api_is_for_gateways(c))
		api_run(c);
}

/* --- a command's way ----------------------------------------------------------------- */

static void answered(struct sockjs_command *c);

/* From here on it is answered by sockjs_command_reply() alone. */
static struct sockjs_command *command_new(const struct asker *a, json_t *arguments, size_t body_len)
{
	struct sockjs_command *c = mem_zalloc(sizeof(*c));

	if (c) {
		c->listener = http_request_listener(a->http);
		c->peer = *http_request_peer(a->http);
		c->keep_alive = http_comes_back(a->http);
		c->access = http_access_keep(a->http);
	}
	if (!c || http_detach(a->http, &c->stream, a->reactor->loop, &api_command_events) < 0) {
		http_access_free(c ? c->access : NULL);
		mem_free(c);
		json_decref(arguments);
		refuse_for_memory(a);
		return NULL;
	}
	c->api = a->reactor->server->api;
	c->name = a->name;
	c->arguments = arguments;
	c->body_len = body_len;
	c->answered = answered;
	api_command_begin(c);
	return c;
}

/* Its idempotency key: whether it is to be done. If not, it is answered. */
static bool is_first(struct sockjs_command *c, const char *key, struct bytes body)
{
	struct api_key *k = NULL;

	switch (api_keys_begin(&c->api->keys, c->name, key, body, clock_now(), &k)) {
	case API_KEY_NEW:
		c->key = k;
		return true;
	case API_KEY_DONE:
		sockjs_command_reply(c, 200, k->answer, k->answer_len);
		break;
	case API_KEY_BUSY:
		sockjs_command_refuse(c, 409, "in_progress", "idempotency_key",
		    "The command with this key is still being carried out.");
		break;
	case API_KEY_OTHER:
		sockjs_command_refuse(c, 422, "key_reused", "idempotency_key",
		    "This key was used with another body.");
		break;
	case API_KEY_NO_MEMORY:
		command_no_memory(c);
		break;
	}
	return false;
}

/* A key that will do; NULL if it is refused. */
static bool check_key(struct sockjs_command *c, const char **key)
{
	if (!command_string(c, "idempotency_key", false, key))
		return false;
	if (!*key || (**key && strlen(*key) <= API_KEY_LEN))
		return true;
	command_refuse_argument(c, "idempotency_key", "has 1 to %d octets", API_KEY_LEN);
	return false;
}

/* The body lives as long as the request, which ends when the command leaves it: what is made of it
 * is made before. */
static void begin(const struct asker *a, struct bytes body)
{
	json_t *arguments = read_arguments(a, body);
	struct sockjs_command *c;
	char *copy = NULL;
	const char *key;

	if (!arguments)
		return;
	if (json_object_get(arguments, "idempotency_key") && body.n > 0)
		copy = mem_strndup(body.p, body.n);
	sockjs_spend(body.n * COST_OCTET);
	c = command_new(a, arguments, body.n);
	if (!c || !check_key(c, &key)) {
		mem_free(copy);
		return;
	}
	if (!key || is_first(c, key, (struct bytes){ copy, copy ? body.n : 0 }))
		go(c);
	mem_free(copy);
}

static void serve_command(const struct asker *a)
{
	const struct api *api = a->reactor->server->api;
	struct bytes body;

	body.p = http_request_body(a->http, &body.n);
	if (!is_known(a->reactor->config, a->name))
		refuse(a, 404, HTTP_REFUSED_COMMAND, "no_command", NULL,
		    "There is no such command; GET /api/openapi.json lists them.");
	else if (http_request_method(a->http) != HTTP_POST)
		refuse(a, 405, HTTP_REFUSED_METHOD, "method", NULL, "A command is a POST.");
	else if (body.n > 0 && !is_json(a->http))
		refuse(a, 415, HTTP_REFUSED_COMMAND, "content_type", NULL,
		    "The body must be JSON: Content-Type: application/json.");
	else if (api->count >= API_MOST || (api->count > 0 && api->bytes + body.n > API_BYTES))
		refuse(
		    a, 503, HTTP_REFUSED_COMMAND, "busy", NULL, "Too many commands are under way.");
	else
		begin(a, body);
}

static void serve_description(const struct asker *a)
{
	struct http_head head;

	if ((http_request_method(a->http) & (HTTP_GET | HTTP_HEAD)) == 0) {
		answer_method_not_allowed(a->http, "GET, HEAD");
		return;
	}
	http_head_init(&head, 200);
	http_head_add(&head, "Content-Type", "application/json");
	http_head_never_cache(&head);
	http_respond(a->http, &head, (struct bytes){ api_description, api_description_len });
}

/* --- in front --------------------------------------------------------------------------- */

static const struct bytes root = { "/api/", 5 };

bool api_is_path(struct bytes path)
{
	return path.n >= root.n && memcmp(path.p, root.p, root.n) == 0;
}

/* Names are plain, so nothing is decoded. A longer one is nobody's. */
static const char *name_of(struct bytes path, char name[64])
{
	size_t n = path.n - root.n;

	if (n >= 64 || memchr(path.p, '\0', path.n))
		n = 0;
	memcpy(name, path.p + root.n, n);
	name[n] = '\0';
	return name;
}

/* The very name of the table, which lives longer than the request. */
static const char *known_name(const struct server_config *config, const char *name)
{
	for (const char *const *own = api_own_names; *own; own++)
		if (strcmp(*own, name) == 0)
			return *own;
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct sockjs_callbacks *app = &config->endpoints[i]->callbacks;

		for (const char *const *k = app->commands; app->command && k && *k; k++)
			if (strcmp(*k, name) == 0)
				return *k;
	}
	return name;
}

void api_serve(struct reactor *reactor, struct http_request *r)
{
	struct asker a = { .reactor = reactor, .http = r };
	const struct server_config *config = reactor->config;
	char name[64];

	a.name = known_name(config, name_of(http_request_path(r), name));
	if (strcmp(a.name, "openapi.json") == 0)
		serve_description(&a);
	else if (!server_config_takes_commands(config))
		refuse(&a, 404, HTTP_REFUSED_NOT_FOUND, "disabled", NULL,
		    "Commands are not taken here: set internal.token or internal.token_file to "
		    "allow those who know the token, internal.client_subjects or "
		    "internal.client_fingerprints those who show a certificate.");
	else if (is_authorised(&a))
		serve_command(&a);
}

/* --- answers ------------------------------------------------------------------------------ */

static void write_answer(struct sockjs_command *c, struct http_server *http)
{
	static const char lines[] = "Content-Type: application/json\r\n"
	                            "Cache-Control: no-store\r\n";
	char head[HTTP_HEAD_EXTRA + sizeof(lines)];
	struct stream_piece pieces[2] = { { head, 0, NULL }, { c->answer, c->answer_len, NULL } };
	unsigned status = c->answer ? c->status : 503;
	struct http_framing framing = { .keep_alive = c->keep_alive,
		.length = (long long)c->answer_len };
	bool is_well;

	pieces[0].n = http_head_render(head, status, BYTES(lines), framing);
	http_access_end(c->access, http, status, c->answer_len);
	c->access = NULL;
	is_well = stream_write(&c->stream, pieces, c->answer ? 2 : 1) == 0;
	if (is_well && c->keep_alive && stream_queued(&c->stream) == 0)
		http_server_give_back(http, &c->stream, &c->peer, c->listener);
	else
		http_server_end(http, &c->stream);
}

static void count_refusal(const struct sockjs_command *c, struct http_server *http)
{
	if (c->status >= 400)
		http_refused(http, c->is_no_memory ? HTTP_REFUSED_NO_MEMORY : HTTP_REFUSED_COMMAND,
		    &c->peer,
		    HTTP_REFUSED_FIELDS(LOG_INT("status", c->status), LOG_STR("command", c->name)));
}

static void settle_key(struct sockjs_command *c)
{
	if (!c->key)
		return;
	if (c->status == 200 && c->answer)
		api_key_done(&c->api->keys, c->key, (struct bytes){ c->answer, c->answer_len });
	else
		api_key_forget(&c->api->keys, c->key);
	c->key = NULL;
}

static void answered(struct sockjs_command *c)
{
	struct reactor *here = reactor_current();

	/* Nobody is here for the next one when another process has taken over */
	if (here && (here->draining || restart_stops(here->server)))
		c->keep_alive = false;
	c->api->answered++;
	if (!c->api->is_over && here && here->base.http) {
		settle_key(c);
		count_refusal(c, here->base.http);
		write_answer(c, here->base.http);
	}
	api_command_free(c);
}

/* --- life ---------------------------------------------------------------------------------- */

struct api *api_new(struct sockjs_server *server)
{
	struct api *api = mem_zalloc(sizeof(*api));

	if (!api)
		return NULL;
	api->server = server;
	list_init(&api->commands);
	list_init(&api->questions);
	api_keys_init(&api->keys);
	return api;
}

void api_abort(struct api *api)
{
	struct list *pos;

	api->is_over = true;
	list_foreach (pos, &api->commands)
		stream_close(&container_of(pos, struct sockjs_command, node)->stream);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	api_questions_free(api);
	while (!list_empty(&api->commands))
		api_command_free(
		    container_of(list_first(&api->commands), struct sockjs_command, node));
	api_keys_fini(&api->keys);
	mem_free(api);
}
