/*
 * daemon/api_login.h - which server a command line means, and the token for it: for `sockjsd
 * publish`, `sockjsd ctl` and `sockjsd health`.
 */
#ifndef DAEMON_API_LOGIN_H
#define DAEMON_API_LOGIN_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/api_client.h"

#define API_TOKEN_MAX 1024

struct api_login {
	/* As given; NULL: not */
	const char *config, *api, *token_file;
	bool is_public; /* what is asked needs no token: none is looked for */
	/* And what became of it */
	struct api_target target;
	char token[API_TOKEN_MAX];
};

/* Finds both, in what was given, in the configuration and in $SOCKJSD_TOKEN. 0, or -errno with a
 * sentence. */
int api_login_find(struct api_login *l, char *why, size_t size);
/* The token is no longer needed. */
void api_login_forget(struct api_login *l);
/* Why a command was refused, from the answer, which may be NULL; `too_large` is what a 413 without
 * one means. */
const char *api_refusal(int status, const json_t *answer, const char *too_large);

#endif
