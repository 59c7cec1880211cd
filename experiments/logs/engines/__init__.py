"""Where the cohort plan is carried out."""
