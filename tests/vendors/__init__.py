"""Stand-ins of vendors, served over real HTTP, written from what the vendors publish and never from our pages."""
