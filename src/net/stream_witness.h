/*
 * net/stream_witness.h - how far a stream has come whose TLS another process carries (tls_carrier.h).
 *
 * Its own socket ends at that process, and what is taken there says nothing of the peer. So the socket of the connection
 * itself comes along: nothing is read from it or written to it, but the kernel is asked what the peer has acknowledged.
 */
#ifndef NET_STREAM_WITNESS_H
#define NET_STREAM_WITNESS_H

struct stream;

/* The stream owns it from now on; 0 or -ENOMEM, and it is closed. Any thread. */
int stream_witness_add(struct stream *s, int fd);
/* -1: it needs none. */
int stream_witness(const struct stream *s);
/* Closed. */
void stream_witness_drop(struct stream *s);

#endif
