/*
 * upstream/upstream_refusal.c - what a client sees when a backend refuses it, or none can be
 * asked.
 */
#include <errno.h>

#include "base/log.h"
#include "upstream/upstream_private.h"

static const struct refusal refusals[] = {
	{ 401, 401, 4401, "Unauthorized" }, { 403, 403, 4403, "Forbidden" },
	{ 404, 404, 4404, "Not found" }, { 429, 429, 4429, "Too many requests" },
	{ 503, 503, SOCKJS_CLOSE_TRY_AGAIN_LATER, "Try again later" },
	{ 0, 502, SOCKJS_CLOSE_BAD_GATEWAY, "Bad gateway" }, /* any other */
};
const struct refusal upstream_unreachable = { 0, 502, SOCKJS_CLOSE_TRY_AGAIN_LATER,
	"The application cannot be reached" };
const struct refusal upstream_too_late = { 0, 504, SOCKJS_CLOSE_TRY_AGAIN_LATER,
	"The application did not answer in time" };
const struct refusal upstream_not_passed_on = { 0, 400, 4400, "Bad request" };
const struct refusal upstream_no_memory = { 0, 500, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory" };
const struct refusal upstream_all_rest = { 0, 503, SOCKJS_CLOSE_TRY_AGAIN_LATER,
	"The application is not available" };

const struct refusal *upstream_refusal_for(unsigned answer)
{
	const struct refusal *r = refusals;

	while (r->answer && r->answer != answer)
		r++;
	return r;
}

/* As the backend has said, in a second at the earliest; else, rounded up, so that who comes as told
 * finds a backend that may be tried. */
static unsigned retry_after(const struct upstream_conn *uc, const struct ws_client_outcome *answer)
{
	uint64_t ms =
	    balancer_rests_for(&uc->reactor->settings->balancer, loop_now(uc->reactor->loop));

	if (answer && answer->has_retry_after)
		return answer->retry_after_s ? answer->retry_after_s : 1;
	return answer && answer->status == 429 ? 0 : (unsigned)((ms + 999) / 1000);
}

void upstream_pass_cookies_on(struct upstream_conn *uc, const char *cookies)
{
	int err = 0;

	for (; err == 0 && cookies && *cookies; cookies += strlen(cookies) + 1)
		err = sockjs_add_header(uc->session, "Set-Cookie", cookies);
	if (err == -ENOBUFS)
		log_warn("an upstream sets too many cookies",
		    LOG_STR("upstream", uc->target ? uc->target->url : ""));
}

/* NULL: it is no backend's. */
static const struct ws_client_outcome *answer_behind(
    const struct upstream_conn *uc, const struct refusal *r)
{
	const struct ws_client *client = uc->opening->answer;
	const struct ws_client_outcome *answer = client ? ws_client_outcome(client) : NULL;

	return answer && upstream_refusal_for(answer->status) == r ? answer : NULL;
}

void upstream_refuse(struct upstream_conn *uc, const struct refusal *r)
{
	const struct ws_client_outcome *answer = answer_behind(uc, r);
	struct sockjs_session *s = uc->session;

	if (s) {
		upstream_pass_cookies_on(uc, answer ? answer->cookies : NULL);
		uc->session = NULL;
		sockjs_set_user(s, NULL);
		sockjs_blame(s, SESSION_CAUSE_BACKEND);
		sockjs_set_retry_after(s, retry_after(uc, answer));
		if (sockjs_refuse(s, r->status, r->code, r->reason) == -EALREADY)
			sockjs_close(s, r->code, r->reason); /* it was opened early */
	}
	upstream_conn_end(uc);
}
