/*
 * daemon/assets.c - looks for files to serve: beside the executable (a build
 * tree), where they are installed, in the current directory; see assets.h.
 */
#include "daemon/assets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CDN    "https://cdn.jsdelivr.net/npm/"
#define SOCKJS "sockjs-client/dist/sockjs.min.js"
#define STOMP  "@stomp/stompjs/bundles/stomp.umd.min.js"
/* From the program, wherever the whole was moved to. */
#define INSTALLED "../share/sockjsd"

/* What pages need and we have not written. */
struct library {
	const char *key, *module; /* the file where npm puts it */
	const char *file;         /* its name as it is installed, and served */
	const char *missing;
};

static const struct library sockjs = { "client_library", SOCKJS, "sockjs.min.js",
	"no SockJS client library found: pages and the iframe transports need /sockjs.min.js; "
	"curl -O " CDN SOCKJS " brings it" };
static const struct library stomp = { "stomp_library", STOMP, "stomp.umd.min.js",
	"no STOMP client library found: the page of STOMP needs /stomp.umd.min.js; "
	"curl -O " CDN STOMP " brings it" };

/* The directory of the running program; "." if the kernel does not say. */
static void own_directory(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash && slash > dir)
		*slash = '\0';
	else
		strcpy(dir, ".");
}

/* Sets `key` to dir/file if that can be read. 1: done; 0: not there; -ENOMEM. */
static int try(struct config *c, const char *key, const char *dir, const char *file)
{
	char text[PATH_MAX];
	const char *path = text;
	int n = snprintf(text, sizeof(text), "%s/%s", dir, file);

	if (n >= (int)sizeof(text) || access(path, R_OK) < 0)
		return 0;
	if (sockjs_options_set(&c->options, key, path) < 0)
		return -ENOMEM;
	log_info("found", LOG_STR("what", key), LOG_STR("path", path));
	return 1;
}

static int find_www(struct config *c)
{
	char own[PATH_MAX];
	int found;

	own_directory(own);
	if ((found = try(c, "www", own, "www")) != 0 ||
	    (found = try(c, "www", own, INSTALLED "/www")) != 0 ||
	    (found = try(c, "www", PKGDATADIR, "www")) != 0 ||
	    (found = try(c, "www", ".", "www")) != 0)
		return found;
	log_warn("no pages found: name their directory by --www");
	return 0;
}

/* Sets it to the file of this library, as npm has it, in one of its directories. */
static int try_modules(
    struct config *c, const struct library *l, const char *dir, const char *modules)
{
	char file[PATH_MAX];
	int n = snprintf(file, sizeof(file), "%s/%s", modules, l->module);

	return n < (int)sizeof(file) ? try(c, l->key, dir, file) : 0;
}

/* Whoever names a directory with a library in it wants that one. */
static bool www_has(const char *www, const struct library *l)
{
	char path[PATH_MAX];
	int n = www ? snprintf(path, sizeof(path), "%s/%s", www, l->file) : -1;

	return n > 0 && n < (int)sizeof(path) && access(path, R_OK) == 0;
}

static int try_installed(struct config *c, const struct library *l, const char *own)
{
	char file[PATH_MAX];
	int found;

	snprintf(file, sizeof(file), INSTALLED "/%s", l->file);
	found = try(c, l->key, own, file);
	return found ? found : try(c, l->key, PKGDATADIR, l->file);
}

static int find_library(struct config *c, const struct library *l)
{
	const char *www = c->options.server.www;
	char own[PATH_MAX];
	int found;

	if (www_has(www, l))
		return 0;
	own_directory(own);
	if ((www && (found = try_modules(c, l, www, "../node_modules")) != 0) ||
	    (found = try_modules(c, l, own, "node_modules")) != 0 ||
	    (found = try_modules(c, l, ".", "node_modules")) != 0 ||
	    (found = try_installed(c, l, own)) != 0 ||
	    (found = try_modules(c, l, "/usr/share", "nodejs")) != 0)
		return found;
	log_warn(l->missing);
	return 0;
}

int assets_find_pages(struct config *c)
{
	int err = c->options.server.www ? 0 : find_www(c);

	if (err >= 0)
		err = c->options.server.stomp_library ? 0 : find_library(c, &stomp);
	return err < 0 ? err : 0;
}

int assets_find_library(struct config *c)
{
	int err = c->options.server.client_library ? 0 : find_library(c, &sockjs);

	return err < 0 ? err : 0;
}

/* dir/sub/file, if that can be read. */
static bool is_there(char path[PATH_MAX], const char *dir, const char *sub, const char *file)
{
	int n = snprintf(path, PATH_MAX, "%s/%s/%s", dir, sub, file);

	return n < PATH_MAX && access(path, R_OK) == 0;
}

bool assets_know_client(char path[PATH_MAX])
{
	char own[PATH_MAX];

	own_directory(own);
	return is_there(path, own, "node_modules", sockjs.module) ||
	       is_there(path, own, INSTALLED, sockjs.file) ||
	       is_there(path, PKGDATADIR, ".", sockjs.file) ||
	       is_there(path, "/usr/share", "nodejs", sockjs.module);
}
