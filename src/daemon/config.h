/*
 * daemon/config.h - what the daemon is told to do: one structure, from a JSON
 * file (config_json.c), from --demo or --upstream (presets.c) and from the command line.
 *
 * A configuration that was read is valid in every detail that can be checked
 * without touching the network. An error is one sentence that names the file,
 * the key's path, the value and what is allowed.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "apps/apps.h"
#include "base/log.h"
#include "server/options.h"

struct config_listener {
	char *address;
	struct sockjs_options options;
};

struct config_endpoint {
	char *prefix;
	const struct app *app;
	struct sockjs_options options;
};

struct config {
	struct sockjs_options options; /* of the server */
	struct sockjs_options *engine; /* for all of it, as stomp.engine.*; NULL: none */
	const char *source; /* "sockjsd.json", "--demo"; for errors; NULL: unnamed. Not owned */
	struct config_listener *listeners;
	size_t listener_count;
	bool listeners_given; /* by the command line, in place of a file's */
	char *internal;       /* address of the internal listener, or NULL */
	struct sockjs_options internal_options; /* and those of it as an address */
	bool internal_given;
	struct config_endpoint *endpoints;
	size_t endpoint_count;
	char *user, *group; /* to become after binding, or NULL */
	enum log_level log_level;
	enum log_format log_format;
	char error[1024];
};

/* Defaults, no listeners, no endpoints; 0 or -ENOMEM. */
int config_init(struct config *c);
void config_fini(struct config *c);

/* Reads a file, or a text that messages call `name`, into a configuration just initialised. 0, or
 * -errno (-EINVAL or -ERANGE: what it says is wrong) and a sentence in c->error. */
int config_read_file(struct config *c, const char *path);
int config_read_text(struct config *c, const char *name, const char *text, size_t len);
/* The configuration of --demo; 0 or -ENOMEM. */
int config_demo(struct config *c);
/* That of --upstream: one endpoint, before the backend at `url`. 0, -EINVAL with a sentence, or
 * -ENOMEM. */
int config_upstream(struct config *c, const char *url);

/* 0; -EINVAL with a sentence, -ENOMEM. */
int config_add_listener(struct config *c, const char *address);
int config_add_endpoint(struct config *c, const char *prefix, const char *application);
/* Of which its options may be: 1 << OPTION_*. */
unsigned config_endpoint_scopes(const struct config_endpoint *e);
int config_set_internal(struct config *c, const char *address);
void config_clear_listeners(struct config *c);
/* Whether it can be run: what must be there is, files can be read by who will read them. 0; with a
 * sentence -EINVAL if it is wrong, -EAGAIN if that may pass by itself; -ENOMEM. */
int config_check(struct config *c);
/* What only running would show, tried without running: where to listen. As config_check(). */
int config_try(struct config *c);

/* How long an orderly stop may take. */
uint64_t config_longest_stop_ms(const struct config *c);
/* Writes all of it as JSON that config_read_file() takes back; 0 or -ENOMEM. */
struct buf;
int config_print(const struct config *c, struct buf *out);
/* The same for people who need not know its secrets, which are "***". */
int config_print_shown(const struct config *c, struct buf *out);

#endif
