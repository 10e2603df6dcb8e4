/*
 * server/server_common.c - what adding an endpoint and adding an address have in common:
 * options over those of the server, room for one more, why it failed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "server/server_private.h"

int server_fail(struct sockjs_server *server, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(server->error, sizeof(server->error), format, ap);
	va_end(ap);
	return err;
}

const char *sockjs_server_error(const struct sockjs_server *server)
{
	return server->error;
}

static int refuse_stray(
    struct sockjs_server *server, const struct option *stray, enum option_scope scope)
{
	static const char *const takers[] = {
		[OPTION_SERVER] = "sockjs_server_new()",
		[OPTION_LISTENER] = "sockjs_server_new() or sockjs_server_listen()",
		[OPTION_ENDPOINT] = "sockjs_server_new() or sockjs_server_add()",
		[OPTION_UPSTREAM] = "sockjsd alone",
		[OPTION_STOMP] = "sockjs_broker_new()",
		[OPTION_HOOKS] = "sockjsd alone",
	};

	return server_fail(server, -EINVAL, "%s: not an option of %s; it is one for %s", stray->key,
	    scope == OPTION_LISTENER ? "an address" : "an endpoint", takers[stray->scope]);
}

/* Over what is in `out` already, which is gone after an error. */
static int overlay(struct sockjs_server *server, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope)
{
	int err = o ? options_overlay(out, o, scope) : 0;

	if (err < 0)
		server_fail(server, err, "out of memory");
	else if ((err = options_check(out, scope)) < 0)
		server_fail(server, err, "%s", out->error);
	if (err < 0)
		options_fini(out);
	return err;
}

static int check_stray(
    struct sockjs_server *server, const struct sockjs_options *o, enum option_scope scope)
{
	const struct option *stray = o ? options_stray(o, 1u << scope) : NULL;

	return stray ? refuse_stray(server, stray, scope) : 0;
}

int server_config_merge(struct server_config *c, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope)
{
	int err = check_stray(c->server, o, scope);

	if (err < 0)
		return err;
	if (options_copy(out, &c->options) < 0)
		return server_fail(c->server, -ENOMEM, "out of memory");
	return overlay(c->server, out, o, scope);
}

int server_config_merge_apart(struct server_config *c, struct sockjs_options *out,
    const struct sockjs_options *o, enum option_scope scope)
{
	int err = check_stray(c->server, o, scope);

	if (err < 0)
		return err;
	if (options_init(out) < 0)
		return server_fail(c->server, -ENOMEM, "out of memory");
	return overlay(c->server, out, o, scope);
}

int server_grow(void *array, size_t count)
{
	void **p = array, *grown;

	if (count & (count - 1))
		return 0; /* the next power of two is not full yet */
	grown = mem_realloc(*p, (count ? count * 2 : 1) * sizeof(void *));
	if (!grown)
		return -ENOMEM;
	*p = grown;
	return 0;
}
