/*
 * daemon/presets.c - the configurations that need no file.
 *
 * --demo: the conventional SockJS test services, a broker of STOMP and the doctor, generous and open to every
 * origin; not for production. --upstream: one backend, everything else at its default.
 */
#include "daemon/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_error.h"

#define PRESET_ADDRESS "127.0.0.1:8081"
#define PRESET_PREFIX  "/app"

struct setting {
	const char *key, *value;
};

struct service {
	const char *prefix, *application;
	struct setting extra;
};

static const struct setting for_all[] = {
	{ "allowed_origins", "*" },
	{ "max_message_bytes", "16777216" },
	{ "max_body_bytes", "16777216" },
	{ "send_buffer_bytes", "67108864" },
	{ "first_message_timeout_ms", "0" },
	{ "networks.adapt", "false" }, /* what one test does is not to change the next */
};

static const struct service services[] = {
	{ "/echo", "echo", { "response_limit_bytes", "4096" } },
	{ "/disabled_websocket_echo", "echo",
	    { "transports", "xhr_streaming,eventsource,htmlfile,xhr,jsonp" } },
	{ "/cookie_needed_echo", "echo", { "session_cookie", "JSESSIONID" } },
	{ "/close", "close", { NULL, NULL } },
	{ "/amplify", "amplify", { NULL, NULL } },
	{ "/broadcast", "broadcast", { NULL, NULL } },
	{ "/ticker", "ticker", { NULL, NULL } },
	{ "/stomp", "stomp", { "stomp.access", "\"open\"" } },
	{ "/unruly", "unruly", { "subpaths", "true" } },
	{ "/doctor", "doctor", { NULL, NULL } },
};

static int set(struct config *c, struct sockjs_options *o, const struct setting *s)
{
	int err = s->key ? sockjs_options_set(o, s->key, s->value) : 0;

	return err < 0 ? config_fail(c, err, "%s", o->error) : 0;
}

static int add_service(struct config *c, const struct service *s)
{
	struct sockjs_options *o;
	int err;

	if ((err = config_add_endpoint(c, s->prefix, s->application)) < 0)
		return err;
	o = &c->endpoints[c->endpoint_count - 1].options;
	for (size_t i = 0; i < sizeof(for_all) / sizeof(*for_all); i++)
		if ((err = set(c, o, &for_all[i])) < 0)
			return err;
	return set(c, o, &s->extra);
}

/* Who tests clients against it gives commands by this token, as to any server (sockjsd-ctl). */
static int let_operators_in(struct config *c)
{
	const struct setting token = { "internal.token", getenv("SOCKJSD_TOKEN") };

	return token.value ? set(c, &c->options, &token) : 0;
}

/* --- the two ----------------------------------------------------------------- */

int config_demo(struct config *c)
{
	int err;

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
		if ((err = add_service(c, &services[i])) < 0)
			return err;
	if ((err = let_operators_in(c)) < 0)
		return err;
	c->listeners_given = true;
	return config_add_listener(c, PRESET_ADDRESS);
}

int config_upstream(struct config *c, const char *url)
{
	const struct setting backend = { "upstream.url", url };
	int err;

	if ((err = config_add_endpoint(c, PRESET_PREFIX, "upstream")) < 0 ||
	    (err = set(c, &c->endpoints[0].options, &backend)) < 0)
		return err;
	c->listeners_given = true;
	return config_add_listener(c, PRESET_ADDRESS);
}
