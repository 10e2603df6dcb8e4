/*
 * nats/nats_info.c - reads INFO; see nats_info.h.
 */
#include "nats/nats_info.h"

#include <errno.h>
#include <stdio.h>

#include "nats/nats_json.h"
#include "nats/nats_parse.h"

enum { MAX_PAYLOAD = 1024 * 1024 }; /* of a server that does not say */

static void copy_text(char *to, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(to, size, "%s", text ? text : "");
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* A nonce that is cut would be signed wrongly: it is none. */
static int read_nonce(struct nats_info *info, const json_t *object)
{
	const char *nonce = json_string_value(json_object_get(object, "nonce"));

	if (nonce && strlen(nonce) > NATS_NONCE_MAX)
		return -EBADMSG;
	copy_text(info->nonce, sizeof(info->nonce), object, "nonce");
	return 0;
}

static int read_object(struct nats_info *info, const json_t *object)
{
	json_int_t max = json_integer_value(json_object_get(object, "max_payload"));
	json_t *urls = json_object_get(object, "connect_urls");

	if (!json_is_object(object))
		return -EBADMSG;
	info->is_known = true;
	info->requires_tls = is_true(object, "tls_required");
	info->has_tls = info->requires_tls || is_true(object, "tls_available");
	info->has_headers = is_true(object, "headers");
	info->is_lame = is_true(object, "ldm");
	info->max_payload = max > 0 ? (uint64_t)max : MAX_PAYLOAD;
	copy_text(info->name, sizeof(info->name), object, "server_name");
	copy_text(info->version, sizeof(info->version), object, "version");
	if (json_is_array(urls) && json_array_size(urls) > 0)
		info->urls = json_incref(urls);
	return read_nonce(info, object);
}

int nats_info_read(struct nats_info *info, struct bytes json)
{
	struct nats_info fresh = { 0 };
	json_t *object;
	int err = nats_json_read(&object, json);

	if (err < 0)
		return err;
	err = read_object(&fresh, object);
	json_decref(object);
	if (err < 0) {
		nats_info_fini(&fresh);
		return err;
	}
	nats_info_fini(info);
	*info = fresh;
	return 0;
}

void nats_info_fini(struct nats_info *info)
{
	json_decref(info->urls);
	*info = (struct nats_info){ 0 };
}

bool nats_info_url(const char *url, char *host, size_t size, uint16_t *port)
{
	const char *colon = strrchr(url, ':');
	size_t n = colon ? (size_t)(colon - url) : 0;
	uint64_t number;

	if (!colon || !nats_parse_number(bytes_of(colon + 1), &number) || number == 0 ||
	    number > UINT16_MAX)
		return false;
	if (n >= 2 && url[0] == '[' && url[n - 1] == ']') {
		url++;
		n -= 2;
	}
	if (n == 0 || n >= size)
		return false;
	memcpy(host, url, n);
	host[n] = '\0';
	*port = (uint16_t)number;
	return true;
}
