/** The names of the commands that talk to a server, for the launcher, which loads nothing else to choose. */
export const CLIENT_WORDS: readonly string[] = ['exec', 'shell', 'attach', 'ls', 'logs', 'kill', 'cp', 'top', 'health'];
