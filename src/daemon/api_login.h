/*
 * daemon/api_login.h - which server a command line means, the token or certificate for it, and how to
 * know it: for `sockjsd publish`, `sockjsd ctl` and `sockjsd health`.
 */
#ifndef DAEMON_API_LOGIN_H
#define DAEMON_API_LOGIN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "daemon/api_client.h"

#define API_TOKEN_MAX 1024

struct api_login {
	/* As given; NULL: not */
	const char *config, *api, *token_file, *ca, *certificate, *certificate_key;
	bool is_public; /* what is asked needs no token: none is looked for */
	/* And what became of it */
	struct api_target target;
	char token[API_TOKEN_MAX]; /* "": the certificate will do */
	struct buf pins;           /* of the configuration's certificates */
};

/* Finds all, in what was given, in the configuration and in $SOCKJSD_TOKEN. 0, or -errno with a
 * sentence. */
int api_login_find(struct api_login *l, char *why, size_t size);
/* The token is no longer needed. */
void api_login_forget(struct api_login *l);
/* Why a command was refused, from the answer, which may be NULL; `too_large` is what a 413 without
 * one means. */
const char *api_refusal(int status, const json_t *answer, const char *too_large);

/* For the help of both commands; and their options, where struct api_login is the member `login`. */
#define API_LOGIN_HELP                                                                             \
	"  -c, --config FILE      the server's configuration: its internal.listen and token\n"       \
	"      --api URL          its internal address: http://HOST:PORT, https://HOST:PORT or\n"     \
	"                         unix:PATH\n"                                                        \
	"      --token-file FILE  file whose first line is the token; else the configuration's, or\n" \
	"                         $SOCKJSD_TOKEN\n"                                                   \
	"      --cert FILE        PEM file of a certificate of ours, which the server may take in\n"  \
	"                         place of a token, and of its key\n"                                 \
	"      --cert-key FILE    PEM file of its key, if that is another one\n"                      \
	"      --ca FILE          PEM file of those who may sign the server's certificate; else the\n"\
	"                         system's, or, with its address from -c, the certificate there\n"
#define API_LOGIN_ARGUMENTS(type)                                                                  \
	{ "-c", "--config", offsetof(type, login.config) },                                        \
	    { NULL, "--api", offsetof(type, login.api) },                                          \
	    { NULL, "--token-file", offsetof(type, login.token_file) },                            \
	    { NULL, "--ca", offsetof(type, login.ca) },                                            \
	    { NULL, "--cert", offsetof(type, login.certificate) },                                 \
	    { NULL, "--cert-key", offsetof(type, login.certificate_key) }

#endif
