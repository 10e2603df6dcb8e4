/*
 * daemon/notify.h - tells systemd how things are (sd_notify(3)), without its
 * library: one datagram to the socket named by $NOTIFY_SOCKET.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Opens the socket, before privileges are dropped. Without $NOTIFY_SOCKET nobody listens, and that
 * is fine. 0 or -errno. */
int notify_open(void);
void notify_close(void);
/* "READY=1", "STOPPING=1". May be called in a signal handler; failure is nobody's business. */
void notify(const char *state);

#endif
