"""A music server that speaks the Subsonic or the OpenSubsonic API."""
