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

#define LIBRARY "sockjs-client/dist/sockjs.min.js"
/* From the program, wherever the whole was moved to. */
#define INSTALLED "../share/sockjsd"

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

/* Whoever names a directory with a library in it wants that one. */
static bool www_has_library(const char *www)
{
	char path[PATH_MAX];
	int n = www ? snprintf(path, sizeof(path), "%s/sockjs.min.js", www) : -1;

	return n > 0 && n < (int)sizeof(path) && access(path, R_OK) == 0;
}

static int find_library(struct config *c)
{
	const char *key = "client_library", *www = c->options.server.www;
	char beside[PATH_MAX], own[PATH_MAX];
	int found;

	if (www_has_library(www))
		return 0;
	own_directory(own);
	if (www && snprintf(beside, sizeof(beside), "%s/..", www) < (int)sizeof(beside) &&
	    (found = try(c, key, beside, "node_modules/" LIBRARY)) != 0)
		return found;
	if ((found = try(c, key, own, "node_modules/" LIBRARY)) != 0 ||
	    (found = try(c, key, ".", "node_modules/" LIBRARY)) != 0 ||
	    (found = try(c, key, own, INSTALLED "/sockjs.min.js")) != 0 ||
	    (found = try(c, key, PKGDATADIR, "sockjs.min.js")) != 0 ||
	    (found = try(c, key, "/usr/share/nodejs", LIBRARY)) != 0)
		return found;
	log_warn(
	    "no SockJS client library found: pages and the iframe transports need /sockjs.min.js; "
	    "curl -O https://cdn.jsdelivr.net/npm/" LIBRARY " brings it");
	return 0;
}

int assets_find_pages(struct config *c)
{
	int err = c->options.server.www ? 0 : find_www(c);

	return err < 0 ? err : 0;
}

int assets_find_library(struct config *c)
{
	int err = c->options.server.client_library ? 0 : find_library(c);

	return err < 0 ? err : 0;
}
