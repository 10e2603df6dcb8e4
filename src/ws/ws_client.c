/*
 * ws/ws_client.c - the client's side of the opening handshake; see ws_client.h.
 *
 * The other side of each rule stands in ws_handshake.c; who looks for a header in an
 * answer uses the same functions as for a request.
 */
#include "ws/ws_client.h"

#include <errno.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/random.h"
#include "ws/ws_answer.h"

enum { NONCE_LEN = 16, KEY_LEN = BASE64_LEN(NONCE_LEN) };
enum { RETRY_AFTER_MAX = 365 * 24 * 3600 };

struct ws_client {
	struct ws_answer answer;
	unsigned interim; /* answers that were not the final one */
	struct ws_client_outcome outcome;
	struct buf cookies;               /* what the outcome points at */
	struct ws_deflate_config deflate; /* as it was offered, or not enabled */
	char accept[WS_ACCEPT_LEN + 1];   /* what proves that the server has read our key */
	char offered[];                   /* subprotocols, a NUL behind each, and behind the last */
};

/* --- what may stand in a request ---------------------------------------------- */

/* Is said by the request itself, and may not be said twice. */
static const struct bytes own_headers[] = {
	BYTES("Host"),
	BYTES("Upgrade"),
	BYTES("Connection"),
	BYTES("Origin"),
	BYTES("Content-Length"),
	BYTES("Transfer-Encoding"),
};

#define OWN_PREFIX BYTES("Sec-WebSocket-")

static bool is_visible_ascii(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= ' ' || b.p[i] >= 0x7f)
			return false;
	return true;
}

static bool is_token(struct bytes b)
{
	return b.n > 0 && ws_token_length(b) == b.n;
}

static bool has_any(struct bytes b, const char *set)
{
	for (size_t i = 0; i < b.n; i++)
		if (strchr(set, b.p[i]))
			return true;
	return false;
}

static bool host_is_valid(struct bytes host)
{
	return host.n > 0 && is_visible_ascii(host) && !has_any(host, "/?#@\\");
}

static bool target_is_valid(struct bytes target)
{
	return target.n > 0 && target.p[0] == '/' && is_visible_ascii(target) &&
	       !has_any(target, "#");
}

static bool header_is_ours(struct bytes name)
{
	for (size_t i = 0; i < sizeof(own_headers) / sizeof(own_headers[0]); i++)
		if (bytes_equal_nocase(name, own_headers[i]))
			return true;
	return name.n >= OWN_PREFIX.n &&
	       bytes_equal_nocase((struct bytes){ name.p, OWN_PREFIX.n }, OWN_PREFIX);
}

static bool headers_are_valid(const struct ws_client_request *req)
{
	for (size_t i = 0; i < req->header_count; i++) {
		const struct ws_request_header *h = &req->headers[i];

		if (!is_token(h->name) || header_is_ours(h->name) || !ws_is_field_text(h->value))
			return false;
	}
	return true;
}

static bool subprotocols_are_valid(const struct ws_client_request *req)
{
	if (req->subprotocol_count > WS_SUBPROTOCOLS_MAX)
		return false;
	for (size_t i = 0; i < req->subprotocol_count; i++) {
		if (!is_token(req->subprotocols[i]))
			return false;
		for (size_t k = 0; k < i; k++)
			if (bytes_equal(req->subprotocols[i], req->subprotocols[k]))
				return false;
	}
	return true;
}

static bool request_is_valid(const struct ws_client_request *req)
{
	return host_is_valid(req->host) && target_is_valid(req->target) &&
	       is_visible_ascii(req->origin) && subprotocols_are_valid(req) &&
	       headers_are_valid(req);
}

/* --- writing it --------------------------------------------------------------- */

static int add(struct buf *out, struct bytes b)
{
	return buf_add(out, b.p, b.n);
}

static int add_request_line(struct buf *out, struct bytes target)
{
	if (add(out, BYTES("GET ")) < 0 || add(out, target) < 0)
		return -ENOMEM;
	return add(out, BYTES(" HTTP/1.1\r\n"));
}

static int add_header(struct buf *out, struct bytes name, struct bytes value)
{
	if (add(out, name) < 0 || add(out, BYTES(": ")) < 0 || add(out, value) < 0)
		return -ENOMEM;
	return add(out, BYTES("\r\n"));
}

static int add_subprotocols(struct buf *out, const struct ws_client_request *req)
{
	struct bytes before = BYTES("Sec-WebSocket-Protocol: ");

	if (req->subprotocol_count == 0)
		return 0;
	for (size_t i = 0; i < req->subprotocol_count; i++) {
		if (add(out, before) < 0 || add(out, req->subprotocols[i]) < 0)
			return -ENOMEM;
		before = BYTES(", ");
	}
	return add(out, BYTES("\r\n"));
}

static int add_extensions(struct buf *out, const struct ws_deflate_config *deflate)
{
	char offer[WS_EXTENSIONS_MAX];

	if (!deflate->enabled)
		return 0;
	ws_deflate_offer(deflate, offer);
	return add_header(out, BYTES("Sec-WebSocket-Extensions"), bytes_of(offer));
}

static int add_others(struct buf *out, const struct ws_client_request *req)
{
	for (size_t i = 0; i < req->header_count; i++)
		if (add_header(out, req->headers[i].name, req->headers[i].value) < 0)
			return -ENOMEM;
	return 0;
}

static int add_request(struct buf *out, const struct ws_client_request *req, struct bytes key,
    const struct ws_deflate_config *deflate)
{
	static const struct bytes fixed = BYTES("Upgrade: websocket\r\n"
	                                        "Connection: Upgrade\r\n"
	                                        "Sec-WebSocket-Version: 13\r\n");

	if (add_request_line(out, req->target) < 0 ||
	    add_header(out, BYTES("Host"), req->host) < 0 || add(out, fixed) < 0 ||
	    add_header(out, BYTES("Sec-WebSocket-Key"), key) < 0)
		return -ENOMEM;
	if (req->origin.n > 0 && add_header(out, BYTES("Origin"), req->origin) < 0)
		return -ENOMEM;
	if (add_subprotocols(out, req) < 0 || add_extensions(out, deflate) < 0 ||
	    add_others(out, req) < 0)
		return -ENOMEM;
	return add(out, BYTES("\r\n"));
}

/* --- beginning ------------------------------------------------------------------ */

static struct ws_client *client_new(const struct ws_client_request *req)
{
	size_t offered = 1;
	struct ws_client *c;
	char *to;

	for (size_t i = 0; i < req->subprotocol_count; i++)
		offered += req->subprotocols[i].n + 1;
	c = mem_zalloc(sizeof(*c) + offered);
	if (!c)
		return NULL;
	to = c->offered;
	for (size_t i = 0; i < req->subprotocol_count; i++) {
		memcpy(to, req->subprotocols[i].p, req->subprotocols[i].n);
		to += req->subprotocols[i].n + 1;
	}
	if (req->deflate)
		c->deflate = *req->deflate;
	return c;
}

static int begin(struct ws_client *c, const struct ws_client_request *req, struct buf *out)
{
	size_t before = buf_len(out);
	char nonce[NONCE_LEN], text[KEY_LEN];
	struct bytes key = { text, KEY_LEN };
	int err;

	random_bytes(nonce, sizeof(nonce));
	base64_encode(text, nonce, sizeof(nonce));
	err = ws_accept_key(c->accept, key);
	if (err == 0)
		err = add_request(out, req, key, &c->deflate);
	if (err < 0)
		out->end = out->start + before;
	return err;
}

int ws_client_begin(struct ws_client **client, const struct ws_client_request *req, struct buf *out)
{
	struct ws_client *c;
	int err;

	if (!request_is_valid(req))
		return -EINVAL;
	c = client_new(req);
	if (!c)
		return -ENOMEM;
	err = begin(c, req, out);
	if (err < 0) {
		ws_client_free(c);
		return err;
	}
	*client = c;
	return 0;
}

void ws_client_free(struct ws_client *c)
{
	if (!c)
		return;
	ws_answer_fini(&c->answer);
	buf_fini(&c->cookies);
	mem_free(c);
}

/* --- an answer that agrees, one rule a function ----------------------------------- */

static const char *check_http(struct ws_client *c, const struct ws_request *answer)
{
	(void)answer;
	return c->answer.minor == 0 ? "The server switches protocols in HTTP/1.0." : NULL;
}

static const char *check_upgrade(struct ws_client *c, const struct ws_request *answer)
{
	struct bytes value;

	(void)c;
	if (ws_request_only(answer, BYTES("Upgrade"), &value) != 1 ||
	    !bytes_equal_nocase(value, BYTES("websocket")))
		return "The answer's Upgrade header is not \"websocket\".";
	if (!ws_request_has(answer, BYTES("Connection"), BYTES("upgrade")))
		return "The answer's Connection header does not say \"Upgrade\".";
	return NULL;
}

static const char *check_accept(struct ws_client *c, const struct ws_request *answer)
{
	struct bytes value;

	if (ws_request_only(answer, BYTES("Sec-WebSocket-Accept"), &value) != 1)
		return "The answer has not exactly one Sec-WebSocket-Accept header.";
	if (!bytes_equal(value, bytes_of(c->accept)))
		return "The answer's Sec-WebSocket-Accept does not belong to our key.";
	return NULL;
}

/* No answer needs this header, but one that has it must not contradict us. */
static const char *check_version(struct ws_client *c, const struct ws_request *answer)
{
	struct bytes value;

	(void)c;
	if (ws_request_only(answer, BYTES("Sec-WebSocket-Version"), &value) > 0 &&
	    !ws_request_has(answer, BYTES("Sec-WebSocket-Version"), BYTES("13")))
		return "The server speaks another version of WebSocket.";
	return NULL;
}

static const char *check_subprotocol(struct ws_client *c, const struct ws_request *answer)
{
	struct bytes chosen;
	int lines = ws_request_only(answer, BYTES("Sec-WebSocket-Protocol"), &chosen);

	if (lines == 0)
		return NULL;
	if (lines > 1)
		return "The server chose a subprotocol twice.";
	for (const char *p = c->offered; *p; p += strlen(p) + 1) {
		if (bytes_equal(chosen, bytes_of(p))) {
			c->outcome.subprotocol = p;
			return NULL;
		}
	}
	return "The server chose a subprotocol that was not offered.";
}

static const char *check_extensions(struct ws_client *c, const struct ws_request *answer)
{
	if (ws_deflate_accept(answer, &c->deflate, &c->outcome.deflate) == 0)
		return NULL;
	return c->deflate.enabled ? "The server did not agree to the extension as it was offered."
	                          : "The server chose an extension, and none was offered.";
}

static const char *check_agreement(struct ws_client *c, const struct ws_request *answer)
{
	static const char *(*const checks[])(
	    struct ws_client *, const struct ws_request *) = { check_http, check_upgrade,
		check_accept, check_version, check_subprotocol, check_extensions };

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *wrong = checks[i](c, answer);

		if (wrong)
			return wrong;
	}
	return NULL;
}

/* --- one that refuses -------------------------------------------------------------- */

/* For a log: cut, and without what a terminal would obey. */
static void copy_phrase(char out[WS_PHRASE_MAX + 1], struct bytes phrase)
{
	size_t n = phrase.n < WS_PHRASE_MAX ? phrase.n : WS_PHRASE_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = phrase.p[i] >= ' ' && phrase.p[i] < 0x7f ? phrase.p[i] : '?';
	out[n] = '\0';
}

/* Only a number of seconds; true if it is one. */
static bool read_retry_after(const struct ws_request *answer, unsigned *seconds)
{
	struct bytes value;
	unsigned s = 0;

	if (ws_request_only(answer, BYTES("Retry-After"), &value) != 1 || value.n == 0)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		s = s * 10 + (unsigned)(value.p[i] - '0');
		if (s > RETRY_AFTER_MAX)
			s = RETRY_AFTER_MAX;
	}
	*seconds = s;
	return true;
}

static void take_refusal(struct ws_client *c, const struct ws_request *answer)
{
	struct ws_client_outcome *o = &c->outcome;

	o->state = WS_CLIENT_REFUSED;
	o->status = c->answer.status;
	copy_phrase(o->phrase, ws_answer_phrase(&c->answer));
	o->has_retry_after = read_retry_after(answer, &o->retry_after_s);
}

/* --- reading ------------------------------------------------------------------------ */

/* A head has no control characters but the tab in it (ws_answer.c), so no value ends a line. */
static int keep_cookies(struct ws_client *c, const struct ws_request *answer)
{
	struct bytes value;
	size_t i = 0;

	for (unsigned n = 0; n < WS_COOKIES_MAX; n++) {
		if (!ws_request_next(answer, BYTES("Set-Cookie"), &i, &value))
			break;
		if (value.n > 0 &&
		    (add(&c->cookies, value) < 0 || add(&c->cookies, BYTES("\0")) < 0))
			return -ENOMEM;
	}
	if (buf_len(&c->cookies) == 0)
		return 0;
	if (buf_add(&c->cookies, "", 1) < 0)
		return -ENOMEM;
	c->outcome.cookies = buf_data(&c->cookies);
	return 0;
}

/* The head is complete. NULL, or what is wrong with it. */
static const char *take_answer(struct ws_client *c)
{
	struct ws_request_header headers[WS_ANSWER_LINES_MAX];
	struct ws_request answer = { .headers = headers };
	const char *wrong;

	if (c->answer.status < 200 && c->answer.status != 101) {
		ws_answer_again(&c->answer);
		return ++c->interim > WS_INTERIM_MAX ? "There are too many interim answers." : NULL;
	}
	answer.header_count = ws_answer_headers(&c->answer, headers);
	if (keep_cookies(c, &answer) < 0)
		return "Memory is out.";
	if (c->answer.status != 101) {
		take_refusal(c, &answer);
		return NULL;
	}
	wrong = check_agreement(c, &answer);
	if (!wrong)
		c->outcome.state = WS_CLIENT_OPEN;
	return wrong;
}

size_t ws_client_feed(struct ws_client *c, const char *p, size_t n)
{
	const char *wrong = NULL;
	size_t all = 0, taken;

	while (c->outcome.state == WS_CLIENT_WAITING && !wrong && all < n) {
		wrong = ws_answer_feed(&c->answer, p + all, n - all, &taken);
		all += taken;
		if (!wrong && c->answer.is_complete)
			wrong = take_answer(c);
	}
	if (wrong)
		c->outcome = (struct ws_client_outcome){ WS_CLIENT_FAILED, .sentence = wrong };
	if (c->outcome.state != WS_CLIENT_WAITING)
		ws_answer_fini(&c->answer);
	return all;
}

const struct ws_client_outcome *ws_client_outcome(const struct ws_client *c)
{
	return &c->outcome;
}
