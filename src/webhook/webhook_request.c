/*
 * webhook/webhook_request.c - what a backend is sent; see webhook_private.h.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/random.h"
#include "server/json_text.h"
#include "webhook/webhook_private.h"

#define SIGNATURE_SIZE (sizeof("Sockjsd-Signature: t=,v1=") + 20 + 64)

static bool add_line(struct curl_slist **lines, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*lines, line);

	if (longer)
		*lines = longer;
	return longer != NULL;
}

/* HMAC-SHA256 of the time, a dot and the body: an old request cannot be sent again. */
static bool sign(const struct webhook *w, struct bytes body, char line[SIGNATURE_SIZE])
{
	unsigned char digest[32];
	size_t n = sizeof(digest);
	char at[24];
	int len = snprintf(at, sizeof(at), "%" PRIu64, (uint64_t)time(NULL));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	const OSSL_PARAM how[] = { OSSL_PARAM_construct_utf8_string(
		                       "digest", (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end() };
	bool ok = ctx &&
	          EVP_MAC_init(ctx, (const unsigned char *)w->secret, strlen(w->secret), how) &&
	          EVP_MAC_update(ctx, (const unsigned char *)at, (size_t)len) &&
	          EVP_MAC_update(ctx, (const unsigned char *)".", 1) &&
	          EVP_MAC_update(ctx, (const unsigned char *)body.p, body.n) &&
	          EVP_MAC_final(ctx, digest, &n, sizeof(digest));

	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	len = snprintf(line, SIGNATURE_SIZE, "Sockjsd-Signature: t=%s,v1=", at);
	for (size_t i = 0; i < sizeof(digest); i++)
		len += snprintf(line + len, SIGNATURE_SIZE - (size_t)len, "%02x", digest[i]);
	return ok;
}

/* The number by which a backend knows a request that is repeated. */
static void make_id(char id[WEBHOOK_ID_LEN + 1])
{
	snprintf(id, WEBHOOK_ID_LEN + 1, "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
}

static bool make_headers(struct webhook_call *call, const char *id)
{
	struct curl_slist **lines = &call->http.headers;
	char line[SIGNATURE_SIZE];
	const char *event = webhook_event_name(call->event);

	if (!add_line(lines, "Content-Type: application/json") || !add_line(lines, "Expect:") ||
	    !add_line(lines, "User-Agent: sockjsd/" SOCKJS_VERSION))
		return false;
	snprintf(line, sizeof(line), "Sockjsd-Event: %s", event);
	if (!add_line(lines, line))
		return false;
	snprintf(line, sizeof(line), "Idempotency-Key: %s", id);
	if (!add_line(lines, line))
		return false;
	return !*call->part->webhook->secret ||
	       (sign(call->part->webhook, call->http.body, line) && add_line(lines, line));
}

static bool make_body(struct webhook_call *call, json_t *members, const char *id)
{
	struct buf text = BUF_INIT;

	if (!members ||
	    json_object_set_new(members, "event", json_string(webhook_event_name(call->event))) <
	        0 ||
	    json_object_set_new(members, "id", json_string(id)) < 0 ||
	    json_text_dump(members, JSON_COMPACT, &text) < 0) {
		buf_fini(&text);
		return false;
	}
	call->text = text.data;
	call->http.body = (struct bytes){ buf_data(&text), buf_len(&text) };
	return true;
}

bool webhook_make_request(struct webhook_call *call, json_t *members)
{
	char id[WEBHOOK_ID_LEN + 1];
	bool ok;

	make_id(id);
	ok = make_body(call, members, id) && make_headers(call, id);
	json_decref(members);
	return ok;
}

bool webhook_make_request_again(struct webhook_call *call, struct bytes body, const char *id)
{
	call->text = mem_strndup(body.p, body.n);
	call->http.body = (struct bytes){ call->text, body.n };
	return call->text && make_headers(call, id);
}

void webhook_forget_request(struct webhook_call *call)
{
	curl_slist_free_all(call->http.headers);
	call->http.headers = NULL;
	mem_free(call->text);
	call->text = NULL;
}
