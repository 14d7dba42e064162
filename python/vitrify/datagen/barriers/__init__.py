"""Energy barriers by saddle searches."""
