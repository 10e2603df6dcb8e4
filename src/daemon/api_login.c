/*
 * daemon/api_login.c - address and token of a server, for commands that a person gives; see
 * api_login.h.
 *
 * They come from the configuration of the server, or are said. The token is never an argument,
 * which everybody on the machine could read.
 */
#include "daemon/api_login.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

/* Where the sentence goes. */
struct complaint {
	char *why;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int complain(
    const struct complaint *to, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(to->why, to->size, format, ap);
	va_end(ap);
	return err;
}

static int read_token(struct api_login *l, const char *path, const struct complaint *to)
{
	FILE *file = fopen(path, "re");
	int err = file ? 0 : -errno;

	if (!file)
		return complain(to, err, "cannot read the token: %s: %s", path, strerror(-err));
	if (!fgets(l->token, sizeof(l->token), file))
		l->token[0] = '\0';
	fclose(file);
	l->token[strcspn(l->token, "\r\n")] = '\0';
	return l->token[0] ? 0 : complain(to, -EINVAL, "there is no token in %s", path);
}

static int set_target(struct api_login *l, const char *address, const struct complaint *to)
{
	return api_target_parse(&l->target, address, to->why, to->size) < 0 ? -EINVAL : 0;
}

static int use_config(struct api_login *l, struct config *c, const struct complaint *to)
{
	const struct server_options *s = &c->options.server;
	int err = config_read_file(c, l->config);

	if (err < 0)
		return complain(to, err, "%s", c->error);
	if (!l->api && !c->internal)
		return complain(to, -EINVAL,
		    "%s: internal.listen: missing; the server has no internal address to be "
		    "asked by",
		    l->config);
	if (!l->api && (err = set_target(l, c->internal, to)) < 0)
		return err;
	if (l->is_public || l->token_file || (!s->token && !s->token_file))
		return 0;
	if (s->token_file)
		return read_token(l, s->token_file, to);
	snprintf(l->token, sizeof(l->token), "%s", s->token);
	return 0;
}

static int read_config(struct api_login *l, const struct complaint *to)
{
	struct config c;
	int err = config_init(&c);

	if (err < 0)
		return complain(to, err, "out of memory");
	err = use_config(l, &c, to);
	config_fini(&c);
	return err;
}

/* The configuration has had its say. */
static int find_token(struct api_login *l, const struct complaint *to)
{
	const char *from_environment = getenv("SOCKJSD_TOKEN");
	int err = l->token_file ? read_token(l, l->token_file, to) : 0;

	if (err == 0 && !l->token[0] && from_environment)
		snprintf(l->token, sizeof(l->token), "%s", from_environment);
	if (err == 0 && (!l->token[0] || strpbrk(l->token, "\r\n ")))
		return complain(to, -EINVAL,
		    "which token? internal.token of the configuration, --token-file or "
		    "$SOCKJSD_TOKEN has it");
	return err;
}

int api_login_find(struct api_login *l, char *why, size_t size)
{
	const struct complaint to = { why, size };
	int err;

	if (!l->config && !l->api)
		return complain(&to, -EINVAL, "to which server? say -c FILE or --api URL");
	err = l->config ? read_config(l, &to) : 0;
	if (err == 0 && l->api)
		err = set_target(l, l->api, &to);
	return err < 0 || l->is_public ? err : find_token(l, &to);
}

void api_login_forget(struct api_login *l)
{
	explicit_bzero(l->token, sizeof(l->token));
}

const char *api_refusal(int status, const json_t *answer, const char *too_large)
{
	const char *sentence =
	    json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	if (sentence)
		return sentence;
	return status == 413 ? too_large
	                     : "what answers there is not the internal address of sockjsd.";
}
