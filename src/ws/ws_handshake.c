/*
 * ws/ws_handshake.c - the server's side of the opening handshake; see
 * ws_handshake.h.
 *
 * Header lists are walked where they stand (base/field.h), each once.
 */
#include "ws/ws_handshake.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>

#include "base/base64.h"
#include "base/field.h"

/* Appended to the key before hashing (RFC 6455 section 1.3). */
#define KEY_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { KEY_LEN = 24, NONCE_LEN = 16, SHA1_LEN = 20 };

/* --- headers ---------------------------------------------------------------- */

bool ws_request_next(
    const struct ws_request *req, struct bytes name, size_t *i, struct bytes *value)
{
	while (*i < req->header_count) {
		const struct ws_request_header *h = &req->headers[(*i)++];

		if (bytes_equal_nocase(h->name, name)) {
			*value = field_trim(h->value);
			return true;
		}
	}
	return false;
}

bool ws_request_has(const struct ws_request *req, struct bytes name, struct bytes token)
{
	struct bytes list;
	size_t i = 0;

	while (ws_request_next(req, name, &i, &list))
		if (field_has_token(list, token))
			return true;
	return false;
}

int ws_request_only(const struct ws_request *req, struct bytes name, struct bytes *value)
{
	struct bytes another;
	size_t i = 0;

	*value = (struct bytes){ NULL, 0 };
	if (!ws_request_next(req, name, &i, value))
		return 0;
	return ws_request_next(req, name, &i, &another) ? 2 : 1;
}

/* --- subprotocols ----------------------------------------------------------- */

size_t ws_token_length(struct bytes b)
{
	size_t n = 0;

	for (; n < b.n; n++) {
		char c = b.p[n];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
			continue;
		if (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))
			break;
	}
	return n;
}

int ws_subprotocols_read(const struct ws_request *req, struct ws_subprotocols *out)
{
	struct bytes list, element;
	size_t i = 0;

	out->count = 0;
	while (ws_request_next(req, BYTES("Sec-WebSocket-Protocol"), &i, &list)) {
		while (field_next(&list, ',', &element)) {
			if (ws_token_length(element) < element.n)
				return -EPROTO;
			if (out->count == WS_SUBPROTOCOLS_MAX)
				return -E2BIG;
			out->tokens[out->count++] = element;
		}
	}
	return 0;
}

/* --- the accept key --------------------------------------------------------- */

/* Looking it up costs more than all the rest of a handshake, so it is kept. */
static const EVP_MD *sha1(void)
{
	static _Atomic(EVP_MD *) kept;
	EVP_MD *found = atomic_load(&kept), *none = NULL;

	if (found)
		return found;
	found = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (found && !atomic_compare_exchange_strong(&kept, &none, found)) {
		EVP_MD_free(found);
		return none; /* another thread's */
	}
	return found;
}

int ws_accept_key(char out[WS_ACCEPT_LEN + 1], struct bytes key)
{
	char text[KEY_LEN + sizeof(KEY_SUFFIX) - 1];
	unsigned char digest[SHA1_LEN];

	if (key.n != KEY_LEN)
		return -EINVAL;
	memcpy(text, key.p, KEY_LEN);
	memcpy(text + KEY_LEN, KEY_SUFFIX, sizeof(KEY_SUFFIX) - 1);
	if (!EVP_Digest(text, sizeof(text), digest, NULL, sha1(), NULL))
		return -ENOMEM;
	base64_encode(out, digest, sizeof(digest));
	out[WS_ACCEPT_LEN] = '\0';
	return 0;
}

/* --- the verdict, one rule a function --------------------------------------- */

static struct ws_verdict refuse(unsigned status, const char *sentence)
{
	return (struct ws_verdict){ .status = status, .sentence = sentence };
}

static struct ws_verdict pass(void)
{
	return (struct ws_verdict){ .status = 101 };
}

static struct ws_verdict check_method(const struct ws_request *req)
{
	if (!bytes_equal(req->method, BYTES("GET")))
		return refuse(405, "A WebSocket handshake is a GET request.");
	return pass();
}

static struct ws_verdict check_http(const struct ws_request *req)
{
	struct bytes host;

	if (!req->http_1_1)
		return refuse(400, "A WebSocket handshake needs HTTP/1.1.");
	if (ws_request_only(req, BYTES("Host"), &host) != 1 || host.n == 0)
		return refuse(400, "Exactly one Host header is needed.");
	return pass();
}

static struct ws_verdict check_upgrade(const struct ws_request *req)
{
	if (!ws_request_has(req, BYTES("Upgrade"), BYTES("websocket")))
		return refuse(400, "Can \"Upgrade\" only to \"WebSocket\".");
	if (!ws_request_has(req, BYTES("Connection"), BYTES("upgrade")))
		return refuse(400, "\"Connection\" must be \"Upgrade\".");
	return pass();
}

static struct ws_verdict check_version(const struct ws_request *req)
{
	struct bytes first = { NULL, 0 }, other;
	size_t i = 0;

	ws_request_next(req, BYTES("Sec-WebSocket-Version"), &i, &first);
	while (ws_request_next(req, BYTES("Sec-WebSocket-Version"), &i, &other))
		if (!bytes_equal(first, other))
			return refuse(400, "Sec-WebSocket-Version headers contradict one another.");
	if (!bytes_equal(first, BYTES("13")))
		return refuse(426, "Sec-WebSocket-Version must be 13.");
	return pass();
}

static struct ws_verdict check_key(const struct ws_request *req, struct bytes *key)
{
	char nonce[KEY_LEN / 4 * 3];

	if (ws_request_only(req, BYTES("Sec-WebSocket-Key"), key) != 1)
		return refuse(400, "Exactly one Sec-WebSocket-Key header is needed.");
	if (key->n != KEY_LEN || base64_decode(nonce, key->p, key->n) != NONCE_LEN)
		return refuse(400, "Sec-WebSocket-Key must be 16 octets in base64.");
	return pass();
}

static struct ws_verdict check_subprotocols(
    const struct ws_request *req, struct ws_subprotocols *subprotocols)
{
	int err = ws_subprotocols_read(req, subprotocols);

	if (err == -E2BIG)
		return refuse(400, "Sec-WebSocket-Protocol names too many subprotocols.");
	if (err < 0)
		return refuse(400, "Sec-WebSocket-Protocol must be a list of tokens.");
	return pass();
}

struct ws_verdict ws_handshake_check(
    const struct ws_request *req, struct ws_subprotocols *subprotocols)
{
	static struct ws_verdict (*const checks[])(
	    const struct ws_request *) = { check_method, check_http, check_upgrade, check_version };
	struct ws_verdict v;
	struct bytes key;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		v = checks[i](req);
		if (v.status != 101)
			return v;
	}
	v = check_key(req, &key);
	if (v.status == 101)
		v = check_subprotocols(req, subprotocols);
	if (v.status == 101 && ws_accept_key(v.accept, key) < 0)
		v = refuse(500, "The accept key could not be computed.");
	return v;
}
