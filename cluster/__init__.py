"""What an operations team applies, and the code that renders and sizes it. Nothing imports this package."""
