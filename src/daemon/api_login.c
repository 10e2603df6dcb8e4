/*
 * daemon/api_login.c - address and token of a server, and how it is known, for commands that a person
 * gives; see api_login.h.
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

#include "daemon/api_pins.h"
#include "daemon/config.h"
#include "net/addr.h"

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

static bool has_tls(const struct api_login *l)
{
	return l->ca || l->certificate;
}

/* With what the command line says of TLS. */
static int set_target(
    struct api_login *l, const char *address, bool wants_tls, const struct complaint *to)
{
	if (api_target_parse(&l->target, address, wants_tls, to->why, to->size) < 0)
		return -EINVAL;
	l->target.ca = l->ca;
	l->target.certificate = l->certificate;
	l->target.key = l->certificate_key;
	return 0;
}

/* Where a server is that listens at what the configuration says. */
static int set_listener(struct api_login *l, const char *address, bool is_tls, const struct complaint *to)
{
	char local[300];
	const char *port = strrchr(address, ':');

	if (listen_addr_inherited(address))
		return complain(to, -EINVAL,
		    "%s: internal.listen: \"%.200s\" is a socket that the server was given; say with "
		    "--api URL where it is",
		    l->config, address);
	if (port && strcmp(port, ":0") == 0)
		return complain(to, -EINVAL,
		    "%s: internal.listen: \"%.200s\" is any port; say with --api URL which it is",
		    l->config, address);
	if (port != address && strncmp(address, "*:", 2) != 0)
		return set_target(l, address, is_tls, to);
	snprintf(local, sizeof(local), "localhost%s", port); /* it listens at all addresses */
	return set_target(l, local, is_tls, to);
}

/* The internal address, as the server itself goes by it. */
static int use_address(struct api_login *l, const struct config *c, const struct complaint *to)
{
	const struct listener_options *o = &c->internal_options.listener;
	bool is_tls = o->tls_certificate || o->tls_certificates;
	int err;

	if (!c->internal)
		return complain(to, -EINVAL,
		    "%s: internal.listen: missing; the server has no internal address to be "
		    "asked by",
		    l->config);
	if (!is_tls && has_tls(l))
		return complain(to, -EINVAL, "%s means nothing: %s: internal.tls: the address has no TLS",
		    l->ca ? "--ca" : "--cert", l->config);
	err = set_listener(l, c->internal, is_tls, to);
	if (err < 0 || !is_tls || l->ca)
		return err;
	err = api_pins_read(&l->pins, o, to->why, to->size);
	if (err == 0)
		l->target.pins = buf_data(&l->pins);
	return err;
}

static int use_config(struct api_login *l, struct config *c, const struct complaint *to)
{
	const struct server_options *s = &c->options.server;
	int err = config_read_file(c, l->config);

	if (err < 0)
		return complain(to, err, "%s", c->error);
	if (!l->api && (err = use_address(l, c, to)) < 0)
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

/* A certificate may do without one. */
static int check_token(const struct api_login *l, const struct complaint *to)
{
	bool is_well = l->token[0] ? !strpbrk(l->token, "\r\n ") : l->certificate != NULL;

	if (is_well)
		return 0;
	return complain(to, -EINVAL,
	    "which token? internal.token of the configuration, --token-file or $SOCKJSD_TOKEN "
	    "has it; or --cert FILE, if the server takes a certificate");
}

int api_login_find(struct api_login *l, char *why, size_t size)
{
	const struct complaint to = { why, size };
	const char *from_environment = getenv("SOCKJSD_TOKEN");
	int err;

	if (!l->config && !l->api)
		return complain(&to, -EINVAL, "to which server? say -c FILE or --api URL");
	if (l->certificate_key && !l->certificate)
		return complain(&to, -EINVAL, "--cert is missing; --cert-key is the key of it");
	err = l->config ? read_config(l, &to) : 0;
	if (err == 0 && l->api)
		err = set_target(l, l->api, has_tls(l), &to);
	if (err == 0 && l->token_file)
		err = read_token(l, l->token_file, &to);
	if (err == 0 && !l->token[0] && from_environment)
		snprintf(l->token, sizeof(l->token), "%s", from_environment);
	return err < 0 || l->is_public ? err : check_token(l, &to);
}

void api_login_forget(struct api_login *l)
{
	explicit_bzero(l->token, sizeof(l->token));
	buf_fini(&l->pins);
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
