/*
 * tests/unit/tls_fixture.h - clients of the server of http_fixture.h, under TLS.
 */
#ifndef TLS_FIXTURE_H
#define TLS_FIXTURE_H

#include <openssl/ssl.h>

struct tls_context;

/* With a certificate for this moment alone. */
extern struct tls_context *tls_server_context;

void tls_up(void);
void tls_down(void);

/* A connection whose handshake is over; its descriptor, too. */
SSL *tls_client(int *fd);
/* In one record. */
void tls_say(SSL *ssl, const char *text);
/* Turns the loop until `what` has come: all that came since the last call. */
const char *tls_hear(SSL *ssl, const char *what);
void tls_end(SSL *ssl, int fd);

#endif
