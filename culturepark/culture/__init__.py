"""What is known about cultures: profiles, survey figures, topics and scenes, and the personas drawn from them."""
