/*
 * webhook/http_target.c - a URL, read by libcurl, which will use it; see http_target.h.
 */
#include "webhook/http_target.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HOST_MAX 255

/* Copies a part; false if there is none, or it is longer than there is room for. */
static bool get_part(CURLU *u, CURLUPart which, unsigned flags, char *text, size_t size)
{
	char *part = NULL;
	bool ok = curl_url_get(u, which, &part, flags) == CURLUE_OK && *part && strlen(part) < size;

	if (ok)
		strcpy(text, part);
	curl_free(part);
	return ok;
}

/* Even if it is empty. */
static bool has_part(CURLU *u, CURLUPart which)
{
	char *part = NULL;
	bool has = curl_url_get(u, which, &part, 0) == CURLUE_OK;

	curl_free(part);
	return has;
}

static int take_url(struct http_target *t, CURLU *u)
{
	char scheme[8], host[HOST_MAX + 1], port[8];
	size_t n;

	if (!get_part(u, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) ||
	    !get_part(u, CURLUPART_HOST, 0, host, sizeof(host)) ||
	    !get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)) ||
	    has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return -EINVAL;
	n = strlen(host);
	if (*host == '[') /* an IPv6 address is without its brackets for a resolver */
		host[n - 1] = '\0';
	t->port = (uint16_t)strtoul(port, NULL, 10);
	t->host = mem_strdup(*host == '[' ? host + 1 : host);
	return t->host ? 0 : -ENOMEM;
}

int http_target_init(struct http_target *t, const char *url)
{
	CURLU *u = curl_url();
	int err = -EINVAL;

	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
		err = take_url(t, u);
	curl_url_cleanup(u);
	if (err == 0 && !(t->url = mem_strdup(url)))
		err = -ENOMEM;
	if (err < 0)
		http_target_fini(t);
	return err;
}

void http_target_fini(struct http_target *t)
{
	mem_free(t->url);
	mem_free(t->host);
	t->url = t->host = NULL;
}
