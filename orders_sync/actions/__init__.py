"""Commands that decide about orders: `retry`, `dismiss`, `forget`, `resend`, `try`."""
