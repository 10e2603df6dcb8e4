/*
 * transports/transport_answer.c - what the answers of all transports have in common: the
 * session cookie, refusals with their line in the log.
 */
#include <stdio.h>

#include "transports/transport.h"

static bool is_secure(const struct transport_request *t)
{
	enum cookie_rule rule = t->endpoint->cookie_secure;

	return rule == COOKIE_YES || (rule == COOKIE_AUTO && t->client.is_tls);
}

/* Without Secure browsers take no cookie that says None (RFC 6265bis section 5.7). */
static const char *same_site(const struct transport_request *t)
{
	const struct http_origins *origins = &t->endpoint->origins;

	switch (t->endpoint->cookie_same_site) {
	case COOKIE_LAX:
		return "; SameSite=Lax";
	case COOKIE_STRICT:
		return "; SameSite=Strict";
	case COOKIE_NONE:
		return is_secure(t) ? "; SameSite=None" : "";
	default:
		return is_secure(t) && origins->count > 0 ? "; SameSite=None" : "";
	}
}

static void add_cookie(const struct transport_request *t, struct http_head *head, const char *name, struct bytes value)
{
	char text[HTTP_ECHO_MAX + 256];

	snprintf(text, sizeof(text), "%s=%.*s; path=/%s%s", name, (int)value.n, value.p, is_secure(t) ? "; Secure" : "",
	    same_site(t));
	http_head_add(head, "Set-Cookie", text);
}

/* Balancers that go by such a cookie send what comes next straight to the gateway that has the session. */
static void add_gateway_cookie(const struct transport_request *t, struct http_head *head)
{
	const char *name = t->endpoint->gateway_cookie;

	if (name && !bytes_equal(http_request_cookie(t->http, name), bytes_of(t->endpoint->gateway_name)))
		add_cookie(t, head, name, bytes_of(t->endpoint->gateway_name));
}

/* Load balancers make sessions sticky by such a cookie. What the client brought goes back unchanged
 * if it is a cookie value at all (RFC 6265 section 4.1.1), else a dummy. */
static void add_session_cookie(const struct transport_request *t, struct http_head *head)
{
	const char *name = t->endpoint->session_cookie;
	struct bytes value;

	if (!name)
		return;
	value = http_request_cookie(t->http, name);
	if (value.n == 0)
		value = BYTES("dummy");
	add_cookie(t, head, name, value);
}

bool transport_can_answer(const struct transport_request *t)
{
	const char *name = t->endpoint->session_cookie;

	return http_request_header(t->http, HTTP_ACCESS_CONTROL_REQUEST_HEADERS).n <=
	           HTTP_ECHO_MAX &&
	       (!name || http_request_cookie(t->http, name).n <= HTTP_ECHO_MAX);
}

void transport_head(const struct transport_request *t, struct http_head *head, unsigned status)
{
	http_head_init(head, status);
	if (t->transport->is_cors)
		http_origin_add_headers(&t->endpoint->origins, &t->client, t->http, head);
	add_session_cookie(t, head);
	add_gateway_cookie(t, head);
}

void transport_answer_refusal(
    const struct transport_request *t, unsigned status, unsigned retry_after, const char *sentence)
{
	struct http_head head;
	char body[256], seconds[16];
	int n = snprintf(body, sizeof(body), "%s\n", sentence);

	transport_head(t, &head, status);
	http_head_add(&head, "Content-Type", "text/plain; charset=UTF-8");
	http_head_never_cache(&head);
	snprintf(seconds, sizeof(seconds), "%u", retry_after);
	if (retry_after)
		http_head_add(&head, "Retry-After", seconds);
	http_respond(t->http, &head, (struct bytes){ body, (size_t)n });
}

/* Not the id of the session: that is a secret of its client. */
void transport_refused(
    const struct transport_request *t, enum http_refusal why, const struct log_field *fields)
{
	struct log_field told[8] = { LOG_STR("endpoint", t->endpoint->prefix),
		LOG_STR("transport", t->transport->name) };

	for (unsigned n = 2; n < 7 && fields->key; n++)
		told[n] = *fields++;
	http_refused(t->reactor->http, why, &t->client.address, told);
}

void transport_refuse(
    const struct transport_request *t, enum http_refusal why, unsigned status, const char *sentence)
{
	transport_refused(
	    t, why, HTTP_REFUSED_FIELDS(LOG_INT("status", status), LOG_STR("answer", sentence)));
	transport_answer_refusal(t, status, status == 503, sentence);
}
