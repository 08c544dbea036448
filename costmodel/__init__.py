"""What a layer costs on a chiplet; no scheduling."""
